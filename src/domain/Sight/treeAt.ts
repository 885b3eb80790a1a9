/**
 * The tree as it was after some entries of a journal, so that one can step through it, also backwards. Entries come from files: one
 * that fits nothing known is passed over, never an error. How many events waited is not in the journal: that stays as in the base.
 */
import type { ActorState, JournalEntry } from "../Sight.ts"

const strategies: ReadonlySet<string> = new Set(["oneForOne", "oneForAll", "restForOne"])

/** An actor's first line in the journal; `started` carries its machine, or its strategy. */
const started = ({ address, at, detail }: JournalEntry): ActorState => {
  const machine = detail ?? ""
  const supervisor = strategies.has(machine)
  return {
    address, kind: supervisor ? "supervisor" : "machine", machine, status: "running", state: supervisor ? "running" : "",
    since: at, restarts: 0, mailbox: 0, lastError: null
  }
}

const firstLine = (text: string | null): string | null => text === null ? null : text.split("\n", 1)[0]!

const withStatus = (actor: ActorState, status: ActorState["status"]): ActorState =>
  ({ ...actor, status, state: actor.kind === "supervisor" ? status : actor.state })

/** Undefined: it is gone. */
const after = (actor: ActorState, entry: JournalEntry): ActorState | undefined => {
  switch (entry.kind) {
    case "started":
      return { ...started({ ...entry, detail: actor.machine }), restarts: actor.restarts + 1, lastError: actor.lastError }
    case "event": {
      const state = entry.state ?? actor.state
      return state === actor.state ? actor : { ...actor, state, since: entry.at }
    }
    case "crashed":
      return { ...withStatus(actor, "restarting"), lastError: firstLine(entry.detail) }
    case "gaveUp":
      return { ...withStatus(actor, "ended"), lastError: firstLine(entry.detail) }
    case "restarting":
      return withStatus(actor, "restarting")
    case "ended":
      return withStatus(actor, "ended")
    case "stopped":
      return withStatus(actor, "stopping")
    case "removed":
      return undefined
    case "mailboxFull":
    case "eventsLost":
    case "deadline":
    case "contained":
    case "dropped":
      return actor
  }
}

/** `base` with the first `count` entries applied, in the order of a tree. A sequence number that does not rise is a new process: it begins with no actor. */
export const treeAt = (base: ReadonlyArray<ActorState>, entries: ReadonlyArray<JournalEntry>, count: number): ReadonlyArray<ActorState> => {
  const actors = new Map(base.map((actor) => [actor.address, actor]))
  let seq = 0
  for (const entry of entries.slice(0, Math.max(0, count))) {
    if (entry.seq <= seq) actors.clear()
    seq = entry.seq
    const actor = actors.get(entry.address)
    if (actor === undefined) {
      if (entry.kind === "started") actors.set(entry.address, started(entry))
      continue
    }
    const next = after(actor, entry)
    if (next === undefined) actors.delete(entry.address)
    else actors.set(entry.address, next)
  }
  return parentsFirst(actors)
}

/** Depth first; children in the order in which they came. */
const parentsFirst = (actors: ReadonlyMap<string, ActorState>): ReadonlyArray<ActorState> => {
  const children = new Map<string | undefined, Array<ActorState>>()
  for (const actor of actors.values()) {
    const parent = parentOf(actor.address, actors)
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [actor])
    else siblings.push(actor)
  }
  const found: Array<ActorState> = []
  const waiting = (children.get(undefined) ?? []).reverse()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    found.push(next)
    for (const child of (children.get(next.address) ?? []).reverse()) waiting.push(child)
  }
  return found
}

/** The longest beginning that is an actor itself: ids may contain slashes. */
const parentOf = (address: string, actors: ReadonlyMap<string, ActorState>): string | undefined => {
  for (let end = address.lastIndexOf("/"); end > 0; end = address.lastIndexOf("/", end - 1)) {
    const parent = address.slice(0, end)
    if (actors.has(parent)) return parent
  }
  return address !== "" && actors.has("") ? "" : undefined
}
