/**
 * What agents sent and ought not to have: counted by agent and kind since the start, and said in the log once a minute of each. Whoever
 * is enrolled can be hostile, and must not fill the disk.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { RefusedMessages, RefusalKind } from "../domain/AliasMetrics/openMetrics.ts"
import type { AgentName } from "../domain/DnsLabel.ts"
import { OnceAMinute, timesText } from "../domain/OnceAMinute.ts"

/** Names are an enrolled agent's: one that enrols again and again with another name does not fill the memory. */
const mostAgents = 10_000

const make = Effect.sync(() => {
  const counts = new Map<AgentName, Map<RefusalKind, number>>()
  const count = (agent: AgentName, kind: RefusalKind, times: number): void => {
    if (!counts.has(agent) && counts.size >= mostAgents) counts.delete(counts.keys().next().value!)
    const kinds = counts.get(agent) ?? new Map<RefusalKind, number>()
    counts.set(agent, kinds.set(kind, (kinds.get(kind) ?? 0) + times))
  }
  const lines = new OnceAMinute()
  return {
    /** `what`: the whole sentence; `many` of it at once. */
    note: Effect.fnUntraced(function*(agent: AgentName, kind: RefusalKind, what: string, many = 1): Effect.fn.Return<void> {
      if (many === 0) return
      count(agent, kind, many)
      const times = lines.due(`${agent} ${kind}`, many, yield* Clock.currentTimeMillis)
      if (times !== undefined) yield* Effect.logWarning(times === 1 ? what : `${what} Such things happened ${timesText(times)} since the last line about it.`)
    }),
    all: (): ReadonlyArray<RefusedMessages> => [...counts].flatMap(([agent, kinds]) => [...kinds].map(([kind, times]) => ({ agent, kind, count: times })))
  }
})

export class Refusals extends Context.Service<Refusals, Effect.Success<typeof make>>()("gstacks/control/Refusals") {
  static readonly layer = Layer.effect(Refusals, make)
}
