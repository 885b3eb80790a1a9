/**
 * The active states behind the text that shows them, so that whoever has only the text (a journal entry, a file) can light them in
 * a chart. The inverse of `stateText`; any text has an answer, in time proportional to its length.
 */

/** Every active state, ancestors first: `{dns: up, link: online.synced}` gives dns, dns.up, link, link.online, link.online.synced. */
export const activePaths = (state: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const outer: Array<string> = []
  let parent = ""
  for (const [token] of state.matchAll(/[^{}.,:\s]+|[{},]/g)) {
    if (token === "{") outer.push(parent)
    else if (token === "}") parent = outer.pop() ?? ""
    else if (token === ",") parent = outer.at(-1) ?? ""
    else {
      parent = parent === "" ? token : `${parent}.${token}`
      if (parent.length <= longestPath) found.push(parent)
      else return found
    }
  }
  return found
}

/** Longer than any machine's; keeps the answer to a hostile text small. */
const longestPath = 500
