/** Makes one list of what several agents, or several times, tell of the same: pure. */
import type { Cut, Flow, FlowAnswer, FlowEnd, Refusal } from "../Flow.ts"

/** What explains an end best is believed, whoever saw it: the other end sees only that the stream broke off. */
const telling: ReadonlyArray<FlowEnd | null> = ["revoked", "limit", "stopped", "refused", "unreachable"]
const weight = ({ end }: Flow): number => telling.indexOf(end) < 0 ? telling.length : telling.indexOf(end)

/** An agent cannot put a stream of its own in another's place: all that was permitted has to be the same. */
const keyOf = ({ id, networkId, sourceId, aliasId, port }: Flow): string => [id, networkId, sourceId, aliasId, port].join(" ")

const merged = (a: Flow, b: Flow): Flow => {
  const [source, target] = a.seenBy.includes("source") ? [a, b] : [b, a]
  const told = source.end === null || weight(target) < weight(source) ? target : source
  return {
    ...source, seenBy: ["source", "target"], targetId: target.targetId, target: target.target,
    closedAt: source.closedAt ?? target.closedAt, end: told.end, by: told.by, error: told.error
  }
}

const endOf = ({ closedAt }: Flow): number => closedAt ?? Infinity

/** Oldest first, those that are open last. */
export const mergeFlows = (flows: ReadonlyArray<Flow>): ReadonlyArray<Flow> => {
  const streams = new Map<string, Flow>()
  for (const flow of flows) {
    const key = keyOf(flow), known = streams.get(key)
    streams.set(key, known === undefined ? flow : known.seenBy.some((role) => flow.seenBy.includes(role)) ? known : merged(known, flow))
  }
  return [...streams.values()].sort((a, b) => endOf(a) - endOf(b) || a.openedAt - b.openedAt)
}

/** One more, to those of its source, target and end that refused. */
export const addRefusal = (pairs: Map<string, Refusal>, refusal: Refusal): void => {
  const key = [refusal.networkId, refusal.sourceId, refusal.aliasId ?? refusal.alias, refusal.port, refusal.by].join(" ")
  const known = pairs.get(key)
  pairs.set(key, known === undefined ? refusal : {
    ...(known.lastAt > refusal.lastAt ? known : refusal), count: known.count + refusal.count,
    firstAt: Math.min(known.firstAt, refusal.firstAt), lastAt: Math.max(known.lastAt, refusal.lastAt)
  })
}

/** One line for each source, target and end that refused, the latest last. */
export const mergeRefusals = (refusals: ReadonlyArray<Refusal>): ReadonlyArray<Refusal> => {
  const pairs = new Map<string, Refusal>()
  for (const refusal of refusals) addRefusal(pairs, refusal)
  return inOrder([...pairs.values()])
}

const inOrder = (refusals: ReadonlyArray<Refusal>): ReadonlyArray<Refusal> => refusals.toSorted((a, b) => a.lastAt - b.lastAt)

interface Told extends Pick<FlowAnswer, "flows" | "refusals"> { readonly cut?: Cut }

/**
 * What several tell, in one: the newest `limit` of each kind, so that however many are open, what has ended is told too. What one of them
 * has cut is cut.
 */
export const newest = (told: ReadonlyArray<Told>, { limit, apart = false }: { readonly limit: number; readonly apart?: boolean }): Told & { readonly cut: Cut } => {
  const flows = mergeFlows(told.flatMap(({ flows }) => flows))
  const refusals = (apart ? inOrder : mergeRefusals)(told.flatMap(({ refusals }) => refusals))
  const kinds = { ended: flows.filter(({ closedAt }) => closedAt !== null), open: flows.filter(({ closedAt }) => closedAt === null), refusals }
  const isCut = (kind: keyof Cut): boolean => kinds[kind].length > limit || told.some(({ cut }) => cut?.[kind] === true)
  return {
    flows: [...kinds.ended.slice(-limit), ...kinds.open.slice(-limit)], refusals: refusals.slice(-limit),
    cut: { open: isCut("open"), ended: isCut("ended"), refusals: isCut("refusals") }
  }
}
