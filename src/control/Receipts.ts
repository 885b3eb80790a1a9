/** Receipts: who has applied a version of a network, and what it closed, waiting for the rest as long as the caller wants. Waits on news, never polls. */
import { Context, Effect, Layer, Option, PubSub, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { NetworkName } from "../domain/DnsLabel.ts"
import { NetworkId } from "../domain/Ids.ts"
import { monotonicMillis } from "../domain/monotonic.ts"
import { isComplete, type Receipt, type ReceiptUntil } from "../domain/Receipt.ts"
import { ClosedStreams } from "./ClosedStreams.ts"
import { Lookups } from "./Lookups.ts"
import { News, type NewsItem } from "./News.ts"
import { type Participant, Participants } from "./Participants.ts"
import { Sessions } from "./Sessions.ts"
import { rows, stored } from "./Store.ts"

export const longestWaitMs = 60_000

const Named = Schema.Struct({ id: NetworkId, name: NetworkName })

/** An agent that left for good before `version` has no part in it; one that left by it, or later, has. */
const takesPart = (participant: Participant, version: number): boolean => participant.leftVersion === null || participant.leftVersion >= version
const hasApplied = (participant: Participant, version: number): boolean =>
  participant.applied !== null && participant.applied >= Math.min(version, participant.leftVersion ?? version)

const note = (everyone: ReadonlyArray<Participant>, news: NewsItem): ReadonlyArray<Participant> => everyone.map((participant) =>
  news._tag === "Acknowledged" && news.agentId === participant.agentId ? { ...participant, applied: Math.max(participant.applied ?? 0, news.version) } : participant)

/** Why an agent is waited for; `undefined`: it is not. One that has left need not be ready. */
const lacking = (participant: Participant, version: number, until: ReceiptUntil): string | undefined => {
  const isReady = until === "applied" || participant.leftVersion !== null
  if (!isReady && !participant.joined) return "is joining the mesh"
  return hasApplied(participant, isReady ? version : participant.newest) ? undefined : "has not answered yet"
}

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const news = yield* News
  const participants = yield* Participants
  const closedStreams = yield* ClosedStreams
  const sessions = yield* Sessions

  /** The living network of that name, else the last removed one: its removal is rolled out too. */
  const find = Effect.fnUntraced(function*(ref: string) {
    const [found] = yield* rows(Named)(sql`select id, name from networks where name = ${ref} or id = ${ref} order by deleted_at desc nulls first limit 1`)
    return found ?? (yield* lookups.noNetwork(ref))
  })

  const view = (network: typeof Named.Type, everyone: ReadonlyArray<Participant>, version: number, until: ReceiptUntil) => {
    const all = everyone.filter((participant) => takesPart(participant, version))
    const pending = all.flatMap((participant) => {
      const { agent, agentId } = participant
      const online = sessions.isOnline(agentId)
      const reason = lacking(participant, version, until)
      return reason === undefined ? [] : [{ agent, online, reason: online ? sessions.trouble(agentId, network.id) ?? reason : "is not connected" }]
    })
    const reached = until === "ready" ? all[0]?.newest : version
    const elapsedMs = pending.length === 0 ? news.elapsedMs(network.id, version, reached) : null
    return { networkId: network.id, network: network.name, version, applied: all.length - pending.length, participants: all.length, elapsedMs, pending } satisfies Receipt
  }

  return {
    of: Effect.fn("Receipts.of")(function*(ref: string, version: number, { timeoutMs = 0, until = "applied" }: { readonly timeoutMs?: number; readonly until?: ReceiptUntil }) {
      const network = yield* stored(find(ref))
      const deadline = (yield* monotonicMillis) + Math.min(timeoutMs, longestWaitMs)
      const updates = yield* news.hear // before the first look, so that nothing is missed between the two
      let everyone = yield* participants.ofNetwork(network.id)
      for (;;) {
        const receipt = view(network, everyone, version, until)
        const left = deadline - (yield* monotonicMillis)
        if (isComplete(receipt) || left <= 0) return { ...receipt, closed: yield* closedStreams.of(network.id, version) } satisfies Receipt
        const next = PubSub.takeAll(updates).pipe(
          Effect.map((items) => items.filter((item) => item._tag === "Missed" || item.networkId === network.id)),
          Effect.repeat({ until: (items) => items.length > 0 })
        )
        const items: ReadonlyArray<NewsItem> = Option.getOrElse(yield* Effect.timeoutOption(next, left), () => [])
        // An acknowledgement says all there is to know; anything else is looked up.
        everyone = items.every((item) => item._tag === "Acknowledged") ? items.reduce(note, everyone) : yield* participants.ofNetwork(network.id)
      }
    }, Effect.scoped)
  }
})

export class Receipts extends Context.Service<Receipts, Effect.Success<typeof make>>()("gstacks/control/Receipts") {
  static readonly layer = Layer.effect(Receipts, make)
}
