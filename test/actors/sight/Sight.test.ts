import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema } from "effect"
import { RpcTest } from "effect/rpc"
import { TestClock } from "effect/testing"
import { setup } from "xstate"
import { ActorDetail, JournalPage } from "../../../src/domain/Sight.ts"
import { SightRpcs } from "../../../src/protocol/sight/SightRpcs.ts"
import { ActorSystem, type ActorSystemOptions } from "../../../src/actors/runtime/ActorSystem.ts"
import { machineChild, supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { Sight, sightHandlers } from "../../../src/actors/sight/Sight.ts"
import { send, waitFor, waitForStatus, worker } from "../runtime/worker.ts"
import { sampleMachine } from "./sampleMachine.ts"

const intensity = { restarts: 5, withinMs: 10_000 }
const system = (options: ActorSystemOptions = {}) => Layer.provideMerge(Sight.layer, ActorSystem.layerWith(options))

const house = Supervisor.start({
  address: "house", strategy: "oneForOne", intensity, children: [
    worker("a", { restart: "transient", showOutput: true }),
    machineChild({ id: "s", logic: sampleMachine, restart: "permanent", shutdownMs: 1000, redact: ["name"] }),
    supervisorChild({ id: "rooms", strategy: "restForOne", intensity, restart: "permanent", shutdownMs: 1000, children: [worker("b")] })
  ]
})

const journal = (query: Parameters<Sight["Service"]["journal"]>[0]) => Sight.use((sight) => sight.journal(query))
const append = (address: string) => ActorSystem.use(({ journal }) => Effect.sync(() => journal.append(0, address, "event", "work", "idle", "idle", null)))

describe("Sight", () => {
  it.effect("shows the tree, and one actor with its chart, its active states and what it accepts", () =>
    Effect.gen(function*() {
      yield* house
      yield* send("house/s", "open")
      yield* waitFor("house/s", "opened")
      const sight = yield* Sight
      assert.deepStrictEqual((yield* sight.actors).map(({ address, kind, machine, state, status }) => [address, kind, machine, state, status]), [
        ["house", "supervisor", "oneForOne", "running", "running"],
        ["house/a", "machine", "worker", "idle", "running"],
        ["house/s", "machine", "sample", "opened.{dns: up, link: dialling}", "running"],
        ["house/rooms", "supervisor", "restForOne", "running", "running"],
        ["house/rooms/b", "machine", "worker", "idle", "running"]
      ])
      const detail = yield* sight.actor("house/s")
      assert.deepStrictEqual(detail.active, ["opened", "opened.dns", "opened.dns.up", "opened.link", "opened.link.dialling"])
      assert.deepStrictEqual(detail.accepts.map(({ event }) => event), [
        "link.down", "xstate.done.actor.0.sample.opened.link.dialling", "xstate.error.actor.0.sample.opened.link.dialling", "close", "link.*", "crash"
      ])
      assert.deepStrictEqual(detail.context, { name: "n" })
      assert.deepStrictEqual(detail.history.map(({ event, from, kind, state }) => [kind, event, from, state]), [
        ["started", null, null, null],
        ["event", "xstate.init", null, "closed"],
        ["event", "open", "closed", "opened.{dns: up, link: dialling}"]
      ])
      assert.deepStrictEqual((yield* sight.charts).map(({ machine }) => machine), ["worker", "sample"])
      const rooms = yield* sight.actor("house/rooms")
      assert.deepStrictEqual([rooms.chart, rooms.active, rooms.accepts, rooms.actor.state], [null, [], [], "running"])
    }).pipe(Effect.provide(system())))

  it.effect("an actor that has ended accepts nothing and keeps its output", () =>
    Effect.gen(function*() {
      yield* house
      yield* send("house/a", "done")
      yield* waitForStatus("house/a", "ended")
      const { accepts, active, actor, output } = yield* Sight.use((sight) => sight.actor("house/a"))
      assert.deepStrictEqual([accepts, active, actor.status, output], [[], ["finished"], "ended", { count: 0 }])
    }).pipe(Effect.provide(system())))

  it.effect("an unknown address is a clear error", () =>
    Effect.gen(function*() {
      const { hint, message } = yield* Effect.flip(Sight.use((sight) => sight.actor("house/none")))
      assert.deepStrictEqual([message, hint], [`No actor has the address "house/none" here.`, "see which there are: gstacks debug actors"])
    }).pipe(Effect.provide(system())))

  it.effect("shows whatever a machine keeps, safely", () =>
    Effect.gen(function*() {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const odd = {
        circle, map: new Map([["k", new Set([1n])]]), bytes: new Uint8Array(3), nothing: undefined, nan: Number.NaN, call: () => {},
        secret: Redacted.make("hidden"), error: new Error("broken"), at: new Date(0), long: "a b ".repeat(1000), many: Array.from({ length: 200 }, () => 1),
        get thrown() { throw new Error("getter") }
      }
      const logic = setup({ types: { context: {} as { odd: unknown } } }).createMachine({ id: "odd", context: { odd } })
      yield* Supervisor.start({ address: "r", strategy: "oneForOne", intensity, children: [machineChild({ id: "a", logic, restart: "permanent", shutdownMs: 100, redact: ["odd"] })] })
      const detail = yield* Sight.use((sight) => sight.actor("r/a"))
      const { long, many, circle: shownCircle, ...rest } = detail.context["odd"] as Record<string, Schema.Json>
      assert.deepStrictEqual(rest, {
        map: [["k", ["1"]]], bytes: "[3 bytes]", nothing: null, nan: "NaN", call: "[function]", secret: "<redacted>", error: "Error: broken",
        at: "1970-01-01T00:00:00.000Z", thrown: "[cannot be shown]"
      })
      assert.strictEqual((long as string).length, 1003)
      assert.deepStrictEqual((many as ReadonlyArray<Schema.Json>).slice(99), [1, "[100 more]"])
      assert.include(JSON.stringify(shownCircle), "{...}")
      Schema.encodeSync(Schema.fromJsonString(ActorDetail))(detail)
    }).pipe(Effect.provide(system())))
})

describe("the journal by pages", () => {
  it.effect("goes on where the last page ended, below one address when asked", () =>
    Effect.gen(function*() {
      for (const address of ["a", "b/1", "b", "a", "b/2", "a"]) yield* append(address)
      const first = yield* journal({ prefix: "b", limit: 2 })
      assert.deepStrictEqual([first.entries.map(({ seq }) => seq), first.next, first.dropped], [[2, 3], 3, 0])
      const second = yield* journal({ prefix: "b", after: first.next })
      assert.deepStrictEqual([second.entries.map(({ seq }) => seq), second.next], [[5], 6])
      assert.deepStrictEqual(yield* journal({ prefix: "b", after: second.next }), { entries: [], next: 6, dropped: 0, instance: first.instance! })
      assert.strictEqual((yield* journal({ limit: 1_000_000 })).entries.length, 6)
      assert.strictEqual((yield* journal({ limit: -1 })).entries.length, 1)
    }).pipe(Effect.provide(system())))

  it.effect("tells how many entries were gone before they were read, and begins anew after another process's number", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 1000; i++) yield* append("some/address")
      const { dropped, entries, next } = yield* journal({ after: 10 })
      assert.isAbove(dropped, 900)
      assert.deepStrictEqual([dropped + entries.length, entries[0]!.seq, next], [990, 11 + dropped, 1000])
      const other = yield* journal({ after: 5000 })
      assert.deepStrictEqual([other.entries.length, other.next, other.dropped], [entries.length, 1000, 0])
      assert.deepStrictEqual((yield* journal({ after: -3, limit: 1 })).entries, entries.slice(0, 1))
    }).pipe(Effect.provide(system({ journalBytes: 10_000 }))))

  it.effect("is read from its oldest entry on, at once, by a reader of another process, whatever its number", () =>
    Effect.gen(function*() {
      const own = (yield* journal({})).instance!
      for (const address of ["a", "b", "a"]) yield* append(address)
      for (const after of [0, 2, 3, 20]) {
        const { dropped, entries, instance, next } = yield* journal({ after, instance: "another", waitMs: 30_000 })
        assert.deepStrictEqual([entries.map(({ seq }) => seq), next, dropped, instance], [[1, 2, 3], 3, 0, own])
      }
      const nothing = yield* journal({ after: 2, instance: "another", prefix: "c", waitMs: 30_000 })
      assert.deepStrictEqual([nothing.entries, nothing.next, nothing.instance], [[], 3, own])
      assert.deepStrictEqual((yield* journal({ after: 2, instance: own })).entries.map(({ seq }) => seq), [3])
      for (let i = 0; i < 1000; i++) yield* append("some/address")
      const late = yield* journal({ after: 990, instance: "another" })
      assert.isAbove(late.dropped, 900)
      assert.strictEqual(late.entries[0]!.seq, late.dropped + 1, "what the new process has forgotten already counts as lost")
    }).pipe(Effect.provide(system({ journalBytes: 10_000 }))))

  it.effect("waits for a first entry that fits, and not longer than asked", () =>
    Effect.gen(function*() {
      yield* append("a")
      const waiting = yield* Effect.forkChild(journal({ after: 1, prefix: "b", waitMs: 5000 }), { startImmediately: true })
      yield* append("a")
      yield* TestClock.adjust(4999)
      assert.isUndefined(waiting.pollUnsafe())
      yield* append("b/c")
      const { entries } = yield* Fiber.join(waiting)
      assert.deepStrictEqual(entries.map(({ address, seq }) => [address, seq]), [["b/c", 3]])
      const tired = yield* Effect.forkChild(journal({ after: 3, waitMs: 3_600_000 }), { startImmediately: true })
      yield* TestClock.adjust(30_000)
      assert.deepInclude(yield* Fiber.join(tired), { entries: [], next: 3, dropped: 0 })
    }).pipe(Effect.provide(system())))

  it.effect("is served as the rpc group", () =>
    Effect.gen(function*() {
      yield* house
      const client = yield* RpcTest.makeClient(SightRpcs)
      assert.strictEqual((yield* client.Actors()).length, 5)
      assert.strictEqual((yield* client.Actor({ address: "house/a" })).actor.state, "idle")
      assert.strictEqual((yield* Effect.flip(client.Actor({ address: "x" })))._tag, "NoSuchActor")
      assert.strictEqual((yield* client.Charts()).length, 2)
      assert.isAbove((yield* client.Journal({ prefix: "house", limit: 10 })).entries.length, 5)
    }).pipe(Effect.provide(Layer.provideMerge(sightHandlers, system()))))

  it.effect("a page of 1,000 entries is what its schema says", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 1500; i++) yield* append(`agent/networks/net_${i}/join`)
      const page = yield* journal({ limit: 5000 })
      assert.strictEqual(page.entries.length, 1000)
      assert.deepStrictEqual(Schema.decodeUnknownSync(JournalPage)(JSON.parse(JSON.stringify(page))), page)
    }).pipe(Effect.provide(system())))
})
