/**
 * What developers' joined machines are asked while somebody waits for it. A machine has no connection of its own for that: questions go out
 * with its renewals, which it repeats for as long as it is there, and come back as answers. Nothing is kept of those that nobody waits for.
 */
import { Context, Deferred, Effect, Layer, Option, PubSub } from "effect"
import { type LocalNodeId, makeId, QuestionId } from "../../domain/Ids.ts"
import type { LocalAnswer, LocalQuestion } from "../../protocol/http/LocalNodesApi.ts"

type Unnumbered<Q> = Q extends unknown ? Omit<Q, "id"> : never
export type Asked = Unnumbered<LocalQuestion>
interface Waiting { readonly node: LocalNodeId; readonly question: LocalQuestion; readonly taken: Deferred.Deferred<void>; readonly answer: Deferred.Deferred<LocalAnswer> }

const unheard = 1024
/** A machine that is there has a renewal under way, or the next one within moments. */
const takenWithin = "5 seconds"

const make = Effect.gen(function*() {
  const waiting = new Map<QuestionId, Waiting>()
  const asked = yield* PubSub.sliding<LocalNodeId>(unheard)

  return {
    /** None: the machine is not there, or has no answer `withinMs` after it was told. */
    ask: Effect.fn("Questions.ask")(function*(node: LocalNodeId, question: Asked, withinMs: number): Effect.fn.Return<Option.Option<LocalAnswer>> {
      const id = yield* makeId(QuestionId, "qst")
      const taken = yield* Deferred.make<void>(), answer = yield* Deferred.make<LocalAnswer>()
      waiting.set(id, { node, question: { ...question, id } as LocalQuestion, taken, answer })
      yield* PubSub.publish(asked, node)
      return yield* Deferred.await(taken).pipe(
        Effect.timeout(takenWithin), Effect.andThen(Effect.timeout(Deferred.await(answer), withinMs)), Effect.option, Effect.ensuring(Effect.sync(() => waiting.delete(id))))
    }),
    /** Completes when that machine is asked something after the subscription. */
    hear: Effect.map(PubSub.subscribe(asked), (subscription) => (node: LocalNodeId) => Effect.asVoid(Effect.repeat(PubSub.take(subscription), { until: (other) => other === node }))),
    /** Each question once. */
    take: (node: LocalNodeId): ReadonlyArray<LocalQuestion> => {
      const news = [...waiting.values()].filter((one) => one.node === node && !Deferred.isDoneUnsafe(one.taken))
      for (const { taken } of news) Deferred.doneUnsafe(taken, Effect.void)
      return news.map(({ question }) => question)
    },
    /** Only from whom was asked. */
    answer: (node: LocalNodeId, id: QuestionId, answer: LocalAnswer): Effect.Effect<void> => Effect.suspend(() => {
      const one = waiting.get(id)
      return one?.node === node && one.question._tag === answer._tag ? Effect.asVoid(Deferred.succeed(one.answer, answer)) : Effect.void
    })
  }
})

export class Questions extends Context.Service<Questions, Effect.Success<typeof make>>()("gstacks/control/LocalNodes/Questions") {
  static readonly layer = Layer.effect(Questions, make)
}
