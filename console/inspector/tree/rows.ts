/** The trees of all processes as the rows of one list: what is folded away or filtered out is no row. */
import type { ActorState } from "../../../src/domain/Sight.ts"
import type { ProcessTree } from "../session/trees.ts"

export interface Row {
  readonly key: string
  readonly agent: string | null
  /** Undefined: the row is the process itself. */
  readonly actor: ActorState | undefined
  /** The part of the address that its parent has not. */
  readonly name: string
  readonly problem: string | null
  /** From 1. */
  readonly level: number
  readonly position: number
  readonly siblings: number
  readonly expandable: boolean
  readonly expanded: boolean
  /** Whether it fits the filter itself, and is not just on the way to one that does. */
  readonly fits: boolean
}

export interface Filter { readonly text: string; readonly troubled: boolean }

export const keyOf = (agent: string | null, address: string): string => `${agent ?? ""}\n${address}`
export const processName = (agent: string | null): string => agent === null ? "control plane" : `agent ${agent}`

const troubledStates = new Set(["failed", "degraded", "backoff", "stale", "stuck", "refused", "retrying", "rebinding"])

/** Why somebody who looks for what is wrong wants to see it; undefined: nothing is. */
export const troubleOf = (actor: ActorState): string | undefined => {
  if (actor.status === "restarting") return "restarting"
  const state = actor.state.split(/[^A-Za-z]+/).find((word) => troubledStates.has(word))
  if (state !== undefined) return state
  if (actor.lastError !== null) return "had an error"
  return actor.restarts > 0 ? "was restarted" : undefined
}

const words = (agent: string | null, { address, lastError, machine, state, status }: ActorState): string =>
  `${processName(agent)}\n${address}\n${machine}\n${state}\n${status}\n${lastError ?? ""}`.toLowerCase()

interface Node { readonly actor: ActorState; readonly name: string; readonly children: Array<Node>; readonly fits: boolean }

/** By the actors as they came, so that a keystroke in the filter builds nothing. */
const built = new WeakMap<ReadonlyArray<ActorState>, ReadonlyArray<Node>>()

const nodesOf = (actors: ReadonlyArray<ActorState>): ReadonlyArray<Node> => {
  const known = built.get(actors)
  if (known !== undefined) return known
  const roots: Array<Node> = []
  const byAddress = new Map<string, Node>()
  for (const actor of actors) {
    let parent: Node | undefined
    for (let end = actor.address.lastIndexOf("/"); end > 0 && parent === undefined; end = actor.address.lastIndexOf("/", end - 1)) parent = byAddress.get(actor.address.slice(0, end))
    const node = { actor, name: parent === undefined ? actor.address : actor.address.slice(parent.actor.address.length + 1), children: [], fits: true }
    byAddress.set(actor.address, node)
    ;(parent?.children ?? roots).push(node)
  }
  built.set(actors, roots)
  return roots
}

export const rowsOf = (trees: ReadonlyArray<ProcessTree>, filter: Filter, folded: ReadonlySet<string>): ReadonlyArray<Row> => {
  const text = filter.text.trim().toLowerCase()
  const filtering = text !== "" || filter.troubled
  const rows: Array<Row> = []

  /** The node with what is left of its children; undefined: nothing of it is. */
  const kept = (agent: string | null) => {
    const keep = (node: Node): Node | undefined => {
      const children = node.children.flatMap((child) => keep(child) ?? [])
      const fits = (!filter.troubled || troubleOf(node.actor) !== undefined) && (text === "" || words(agent, node.actor).includes(text))
      return fits || children.length > 0 ? { ...node, children, fits } : undefined
    }
    return keep
  }

  const add = (agent: string | null, nodes: ReadonlyArray<Node>, level: number) => nodes.forEach((node, index) => {
    const key = keyOf(agent, node.actor.address)
    const expandable = node.children.length > 0
    const expanded = expandable && (filtering || !folded.has(key))
    rows.push({ key, agent, actor: node.actor, name: node.name, problem: null, level, position: index + 1, siblings: nodes.length, expandable, expanded, fits: node.fits })
    if (expanded) add(agent, node.children, level + 1)
  })

  const shown = trees.flatMap(({ actors, log }) => {
    const roots = filtering ? nodesOf(actors).flatMap((node) => kept(log.agent)(node) ?? []) : nodesOf(actors)
    const itself = !filtering || roots.length > 0 || (log.problem !== null && (text === "" || `${processName(log.agent)} ${log.problem}`.toLowerCase().includes(text)))
    return itself ? [{ log, roots }] : []
  })
  shown.forEach(({ log, roots }, index) => {
    const key = keyOf(log.agent, "")
    const expanded = roots.length > 0 && (filtering || !folded.has(key))
    rows.push({
      key, agent: log.agent, actor: undefined, name: processName(log.agent), problem: log.problem, level: 1, position: index + 1,
      siblings: shown.length, expandable: roots.length > 0, expanded, fits: false
    })
    if (expanded) add(log.agent, roots, 2)
  })
  return rows
}
