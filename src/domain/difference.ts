/**
 * Where two lists that are mostly the same differ: what is left of each without what they have in common at their ends, by
 * identity. Small when few items have changed close together, and complete in any case.
 */
export interface Difference<A> { readonly before: ReadonlyArray<A>; readonly after: ReadonlyArray<A> }

export const difference = <A>(before: ReadonlyArray<A>, after: ReadonlyArray<A>): Difference<A> => {
  const shorter = Math.min(before.length, after.length)
  let start = 0, end = 0
  while (start < shorter && before[start] === after[start]) start++
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++
  return { before: before.slice(start, before.length - end), after: after.slice(start, after.length - end) }
}
