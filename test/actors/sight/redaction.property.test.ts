/**
 * What is not allowed is never shown. Each secret is a word that occurs nowhere else: in the context below a key that is not
 * allow-listed, in the payload of an event, in the input, the output, what an invoked Effect was given and answered, or failed with.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Result, Schema } from "effect"
import { assign, type CallbackActorLogic, emit, type EventObject, type PromiseActorLogic, setup } from "xstate"
import { ActorDetail, ActorState, type Chart } from "../../../src/domain/Sight.ts"
import { encodeRecording } from "../../../src/domain/Sight/Recording.ts"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { Sight } from "../../../src/actors/sight/Sight.ts"
import { restarted } from "../runtime/worker.ts"

interface Context { readonly shown: string; readonly token: string; readonly nested: { readonly deep: ReadonlyArray<string> }; readonly last: unknown }
type Events = { readonly type: "take" | "ask" | "emit" | "crash" | "unknown"; readonly payload: unknown }

const keeper = setup({
  types: { context: {} as Context, input: {} as { readonly secret: string }, events: {} as Events, emitted: {} as { readonly type: "told"; readonly payload: unknown } },
  actors: {
    answer: {} as PromiseActorLogic<Result.Result<string, { readonly reason: string }>, { readonly payload: unknown }>,
    feed: {} as CallbackActorLogic<EventObject, { readonly token: string }>
  },
  actions: { crash: () => { throw new Error("it crashed") } }
}).createMachine({
  id: "keeper",
  context: ({ input }) => ({ shown: "shown", token: input.secret, nested: { deep: [input.secret] }, last: undefined }),
  output: ({ context }) => context,
  initial: "calm",
  invoke: { src: "feed", input: ({ context }) => ({ token: context.token }) },
  on: {
    take: { actions: assign({ last: ({ event }) => event.payload }) },
    emit: { actions: emit(({ event }) => ({ type: "told", payload: event.payload })) },
    crash: { actions: "crash" }
  },
  states: {
    calm: { on: { ask: "asking" } },
    asking: { invoke: { src: "answer", input: ({ event }) => ({ payload: (event as Events).payload }), onDone: { target: "calm", actions: assign({ last: ({ event }) => event.output }) } } }
  }
})

/** Words without any of the marks by which a credential might be known. */
const Word = Schema.String.check(Schema.isPattern(/^[b-df-hj-np-tv-z]{9,20}$/))
const Payload = Schema.Union([Word, Schema.Array(Word), Schema.Record(Word, Word), Schema.Struct({ token: Word, inner: Schema.Struct({ key: Word }) })])
const Step = Schema.Struct({ type: Schema.Literals(["take", "ask", "emit", "crash", "unknown"]), payload: Payload })

const wordsOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : typeof value === "object" && value !== null ? Object.entries(value).flatMap(([key, inner]) => [...(/^(token|inner|key|\d+)$/.test(key) ? [] : [key]), ...wordsOf(inner)]) : []

const encodeTree = Schema.encodeSync(Schema.fromJsonString(Schema.Array(ActorState)))
const encodeDetail = Schema.encodeSync(Schema.fromJsonString(ActorDetail))

const everything = Effect.gen(function*() {
  const { journal } = yield* ActorSystem
  const sight = yield* Sight
  const actors = yield* sight.actors
  const charts: ReadonlyArray<Chart> = yield* sight.charts
  const details = yield* Effect.forEach(actors, ({ address }) => sight.actor(address))
  const entries = journal.entries()
  const recording = encodeRecording({ at: 0, product: "p", processes: [{ agent: null, seq: 0, actors, charts }], entries: entries.map((entry) => ({ agent: null, entry })) })
  return [encodeTree(actors), ...details.map((detail) => encodeDetail(detail)), recording].join("\n")
})

it.effect.prop(
  "no context value outside the allow-list and no event's payload is in tree, detail, journal or recording",
  [Word, Word, Schema.Array(Step).check(Schema.isMaxLength(8))],
  ([secret, answer, steps]) =>
    Effect.gen(function*() {
      const bridge = yield* Bridge.make()
      const logic = keeper.provide({ actors: {
        answer: bridge.fromEffect(({ payload }: { readonly payload: unknown }): Effect.Effect<string, { readonly reason: string }> =>
          Array.isArray(payload) ? Effect.fail({ reason: `${answer} ${String(payload)}` }) : Effect.succeed(answer)),
        feed: bridge.fromEffect(() => Effect.never) as never
      } })
      yield* Supervisor.start({
        address: "root", strategy: "oneForOne", intensity: { restarts: 100, withinMs: 1000 },
        children: [machineChild({ id: "a", logic, input: { secret }, restart: "permanent", shutdownMs: 100, redact: ["shown"] })]
      })
      const actors = yield* ActorSystem
      let crashes = 0
      for (const step of steps) {
        yield* Effect.ignore(actors.send("root/a", step))
        if (step.type === "crash") yield* restarted("root/a", ++crashes)
      }
      yield* actors.waitFor("root/a", "calm")
      const text = yield* everything
      assert.include(text, `"shown":"shown"`)
      for (const word of [secret, answer, ...wordsOf(steps.map(({ payload }) => payload))]) assert.notInclude(text, word)
    }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Sight.layer, ActorSystem.layer))),
  { arbitrary: { runs: 40 } }
)
