/**
 * The tree as it was before the oldest entry that a journal still holds, so that one can step back from a tree seen now. What the
 * journal no longer tells is taken from the tree as it is now, or left open.
 */
import type { ActorState, JournalEntry } from "../Sight.ts"
import { treeAt } from "./treeAt.ts"

/** What the entries of one address tell of what was there before them. */
interface Past {
  readonly first: JournalEntry
  machine: string | null
  starts: number
  crashed: boolean
  /** It was removed: what is there now under its address is another. */
  removed: boolean
}

const pastsOf = (entries: ReadonlyArray<JournalEntry>): ReadonlyMap<string, Past> => {
  const pasts = new Map<string, Past>()
  for (const entry of entries) {
    const past = pasts.get(entry.address) ?? { first: entry, machine: null, starts: 0, crashed: false, removed: false }
    pasts.set(entry.address, past)
    if (entry.kind === "removed") past.removed = true
    if (past.removed) continue
    if (entry.kind === "started") {
      past.starts++
      past.machine = entry.detail
    } else if (entry.kind === "crashed" || entry.kind === "gaveUp") past.crashed = true
  }
  return pasts
}

const unknown = (address: string, { first, machine }: Past): ActorState =>
  ({ address, machine: machine ?? "", kind: "machine", status: "running", state: "", since: first.at, restarts: 0, mailbox: 0, lastError: null })

/** Undefined: it was not there yet. */
const before = (actor: ActorState, past: Past): ActorState | undefined => {
  const { crashed, first, starts } = past
  const restarts = actor.restarts - starts
  const waits = first.kind === "started"
  // Its first start is no restart.
  if (waits && restarts < 0) return undefined
  const status = waits ? "restarting" : "running"
  return {
    ...actor, status, restarts: Math.max(0, restarts), since: Math.min(actor.since, first.at), mailbox: 0, lastError: crashed ? null : actor.lastError,
    state: actor.kind === "supervisor" ? status : first.from ?? first.state ?? actor.state
  }
}

/** `treeAt` with these entries leads from the answer to `tree`. */
export const treeBefore = (tree: ReadonlyArray<ActorState>, entries: ReadonlyArray<JournalEntry>): ReadonlyArray<ActorState> => {
  const pasts = pastsOf(entries)
  const known = tree.filter(({ address }) => pasts.get(address)?.removed !== true)
  const gone = [...pasts].filter(([, { first, removed }]) => removed && first.kind !== "started")
  const found = [
    ...known.flatMap((actor) => {
      const past = pasts.get(actor.address)
      return past === undefined ? actor : before(actor, past) ?? []
    }),
    ...gone.map(([address, past]) => ({ ...unknown(address, past), state: past.first.from ?? past.first.state ?? "" }))
  ]
  return treeAt(found, [], 0)
}
