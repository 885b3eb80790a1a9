/** Looking into the actors through the control plane: its own, each agent's, all at once; and that a bad agent or looker harms nobody. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Debug } from "../../src/control/Debug.ts"
import type { ProcessActors } from "../../src/domain/Sight.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { actorState, FakeSight, sightHandlersOf } from "../harness/fakeSight.ts"
import { connect, enrol } from "./fixture.ts"
import { controlPlane, temporaryFolder } from "./server.ts"

const plane = Layer.merge(Layer.unwrap(Effect.map(temporaryFolder, (folder) => controlPlane(folder))), Layer.succeed(Principal, { name: "operator" }))

const agentWith = Effect.fnUntraced(function*(overrides: Parameters<typeof connect>[0] = {}) {
  const sight = new FakeSight()
  sight.actors = [actorState("agent/link")]
  return { sight, ...(yield* connect({ ...sightHandlersOf(sight), ...overrides })) }
})
const rowOf = (rows: ReadonlyArray<ProcessActors>, agent: string | null) => rows.find((row) => row.agent === agent)!

layer(plane, { timeout: "2 minutes" })("debug", (it) => {
  it.effect("shows every process; an agent that is away, silent or broken says so in its own row, within the time of one answer", () => Effect.gen(function*() {
    const debug = yield* Debug
    const waiting = yield* Latch.make()
    const well = yield* agentWith()
    const silent = yield* agentWith({ Actors: () => Effect.andThen(waiting.open, Effect.never) })
    const broken = yield* agentWith({ Actors: () => Effect.die("no such message") })
    const away = yield* enrol()
    const asking = yield* Effect.forkChild(debug.cluster)
    yield* waiting.await
    yield* TestClock.adjust("5 seconds")
    const rows = yield* Fiber.join(asking)
    assert.isNull(rows[0]!.agent)
    assert.include(rowOf(rows, null).actors.map(({ address }) => address), "control/mesh")
    assert.deepStrictEqual(rowOf(rows, well.name), { agent: well.name, problem: null, actors: [actorState("agent/link")] })
    assert.strictEqual(rowOf(rows, silent.name).problem, `Agent "${silent.name}" did not answer in time.`)
    assert.match(rowOf(rows, broken.name).problem!, /failed on it; its log says why/)
    assert.strictEqual(rowOf(rows, away.name).problem, `Agent "${away.name}" is not connected.`)
  }))

  it.effect("one process: its own, an agent by name, typed problems for what is not there", () => Effect.gen(function*() {
    const debug = yield* Debug
    const { name } = yield* agentWith()
    const away = yield* enrol()
    assert.deepStrictEqual((yield* debug.own).map(({ agent }) => agent), [null])
    assert.deepStrictEqual((yield* debug.agent(name)).map(({ agent, actors }) => [`${agent}`, actors.length]), [[`${name}`, 1]])
    assert.strictEqual((yield* debug.actor(name, "agent/link")).actor.address, "agent/link")
    assert.strictEqual((yield* debug.actor(undefined, "control")).actor.kind, "supervisor")
    assert.strictEqual((yield* Effect.flip(debug.actor(name, "agent/nobody")))._tag, "ActorNotFound")
    assert.strictEqual((yield* Effect.flip(debug.actor(undefined, "agent/link")))._tag, "ActorNotFound")
    assert.strictEqual((yield* Effect.flip(debug.charts("nobody")))._tag, "AgentNotFound")
    assert.strictEqual((yield* Effect.flip(debug.charts(away.name)))._tag, "AgentUnavailable")
  }))

  it.effect("a long poll reaches the agent and waits as long as was asked, and no longer", () => Effect.gen(function*() {
    const debug = yield* Debug
    const { name, sight } = yield* agentWith()
    sight.append("agent/link")
    const poll = yield* Effect.forkChild(debug.journal(name, { after: 1, waitMs: 30_000 }))
    yield* sight.asked(1)
    sight.append("agent/link", { event: "session.lost" })
    assert.deepStrictEqual((yield* Fiber.join(poll)).entries.map(({ seq, event }) => [seq, event]), [[2, "session.lost"]])
    const silent = yield* agentWith({ Journal: ({ waitMs }: { readonly waitMs: number }) => Effect.delay(Effect.succeed({ entries: [], next: waitMs, dropped: 0 }), waitMs) })
    const patient = yield* Effect.forkChild(debug.journal(silent.name, { waitMs: 86_400_000 }))
    yield* TestClock.adjust("30 seconds")
    assert.strictEqual((yield* Fiber.join(patient)).next, 30_000)
  }))

  it.effect("an agent is asked so many things at a time and no more: its session stays free; who hangs up frees a place", () => Effect.gen(function*() {
    const debug = yield* Debug
    const { name, sight } = yield* agentWith()
    const polls = yield* Effect.forEach(Array.from({ length: 64 }), () => Effect.forkChild(debug.journal(name, { waitMs: 30_000 })))
    yield* sight.asked(64)
    assert.match((yield* Effect.flip(debug.charts(name))).detail, /is being looked at 64 times already/)
    yield* Fiber.interrupt(polls[0]!)
    assert.deepStrictEqual(yield* debug.charts(name), [])
  }))
})
