/**
 * A machine's state value as one line of text, and the question whether a state is active. Both work
 * on the plain value, so callers outside src/actors need no XState.
 */
export type StateValue = string | { readonly [region: string]: StateValue | undefined }

/** `online`, `online.synced`, and for parallel states `{dns: up, link: online.synced}` or, where they hold no others, `{dns, link}`. */
export const stateText = (value: StateValue): string => {
  if (typeof value === "string") return value
  const regions = Object.entries(value).filter((entry): entry is [string, StateValue] => entry[1] !== undefined)
  const [first] = regions
  if (first === undefined) return ""
  if (regions.length === 1) {
    const inner = stateText(first[1])
    return inner === "" ? first[0] : `${first[0]}.${inner}`
  }
  const parts = regions.map(([name, inner]) => {
    const text = stateText(inner)
    return text === "" ? name : `${name}: ${text}`
  })
  return `{${parts.join(", ")}}`
}

/** Whether `path` ("online", "online.synced", "dns.up") names an active state. */
export const isInState = (value: StateValue, path: string): boolean => {
  if (typeof value === "string") return value === path
  return Object.entries(value).some(([name, inner]) =>
    name === path
    || (inner !== undefined && path.startsWith(`${name}.`) && isInState(inner, path.slice(name.length + 1))))
}
