/** "Did you mean": the name that is closest to what was typed, when one is close enough to be a likely slip. */

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}

export const nearest = (typed: string, names: ReadonlyArray<string>): string | undefined => {
  const allowed = Math.max(1, Math.floor(typed.length / 3))
  const best = names.map((name) => ({ name, distance: distance(typed, name) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))[0]
  return best !== undefined && best.distance <= allowed ? best.name : undefined
}

/** The hint of a not-found problem: the likely name, or how to see all. */
export const suggest = (typed: string, names: ReadonlyArray<string>, list: string): string => {
  const likely = nearest(typed, names)
  return likely === undefined ? `See what there is: ${list}` : `Did you mean "${likely}"? See all: ${list}`
}
