import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { type ChildSpec, supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, snapshot, waitFor, worker } from "./worker.ts"

const intensity = { restarts: 5, withinMs: 10_000 }
const supervise = (...children: ReadonlyArray<ChildSpec>) => Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children })

const count = (address: string, expected: number) =>
  ActorSystem.use((actors) => actors.waitFor(address, (_, context) => context.count === expected))

describe("mailbox", () => {
  it.effect("refuses the event that does not fit, takes events again once there is room, loses none it took", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a", { mailbox: 8 }))
      for (let sent = 0; sent < 8; sent++) yield* send("root/a", "work")
      assert.strictEqual((yield* snapshot("root/a")).mailbox, 8)
      const full = yield* Effect.flip(send("root/a", "work"))
      assert.deepInclude(full, { _tag: "MailboxFull", address: "root/a", capacity: 8, event: "work" })
      assert.strictEqual(full.message, "Actor \"root/a\" did not take event \"work\": its mailbox is full (8 events). Send it again later.")
      yield* Effect.flip(send("root/a", "work"))
      yield* count("root/a", 8)
      yield* send("root/a", "work")
      yield* count("root/a", 9)
      assert.deepStrictEqual(yield* history("root/a"), ["started", "mailboxFull"])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("holds 1,024 events unless the system or the child says otherwise", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a"))
      const actors = yield* ActorSystem
      assert.strictEqual(actors.host.registry.get("root/a")?.inlet?.capacity, 1024)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("is lost with its process, and the journal says how much", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a", { mailbox: 8 }))
      yield* send("root/a", "crash.action")
      yield* send("root/a", "work")
      yield* send("root/a", "work")
      yield* restarted("root/a", 1)
      yield* send("root/a", "invoke")
      assert.deepStrictEqual((yield* waitFor("root/a", "busy")).context, { name: "a", count: 0 })
      assert.deepStrictEqual(yield* history("root/a"), ["started", "eventsLost", "crashed", "restarting", "started"])
    }).pipe(Effect.provide(ActorSystem.layerWith({ mailbox: 8 }))))

  it.effect("keeps the order of one sender, and a flooded actor does not starve another", () =>
    Effect.gen(function*() {
      yield* supervise(worker("busy"), worker("calm"))
      for (let sent = 0; sent < 1000; sent++) yield* send("root/busy", "work")
      yield* send("root/calm", "work")
      yield* count("root/calm", 1)
      assert.isBelow(Number((yield* snapshot("root/busy")).context["count"]), 1000)
      yield* send("root/busy", "done")
      yield* ActorSystem.use((actors) => actors.waitFor("root/busy", (state, context) => state === "finished" && context.count === 1000))
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("addresses", () => {
  it.effect("one that nobody has, or had, or that takes no events, is a typed failure", () =>
    Effect.gen(function*() {
      const root = yield* supervise(worker("a"), worker("networks/net_1/alias/api:8080"))
      for (const address of ["root/b", "root/a/", ""]) {
        assert.deepInclude(yield* Effect.flip(send(address, "work")), { _tag: "AddressGone", address, reason: "unknown" })
      }
      assert.deepInclude(yield* Effect.flip(send("root", "work")), { _tag: "AddressGone", address: "root", reason: "supervisor" })
      yield* send("root/networks/net_1/alias/api:8080", "work")
      yield* count("root/networks/net_1/alias/api:8080", 1)
      yield* root.stopChild("a")
      const gone = yield* Effect.flip(send("root/a", "work"))
      assert.strictEqual(gone.message, "Actor \"root/a\" cannot be reached: no actor has this address.")
      assert.strictEqual((yield* Effect.flip(snapshot("root/a")))._tag, "AddressGone")
      assert.strictEqual((yield* Effect.flip(ActorSystem.use((actors) => actors.supervisor("root/a"))))._tag, "AddressGone")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("one that is between a crash or an end and what its supervisor does about it says so", () =>
    Effect.gen(function*() {
      const root = yield* supervise(worker("a"), worker("b", { restart: "transient" }), worker("c", { stopEvent: { type: "leave" } }))
      const { registry } = (yield* ActorSystem).host
      const reason = (address: string) => Effect.map(Effect.flip(send(address, "work")), (error) => error._tag === "AddressGone" ? error.reason : error._tag)
      yield* send("root/a", "crash.action")
      yield* send("root/b", "done")
      while (registry.get("root/b")?.inlet !== undefined) yield* Effect.yieldNow
      assert.deepStrictEqual([yield* reason("root/a"), yield* reason("root/b")], ["restarting", "ended"])
      const stopping = yield* Effect.forkChild(root.stopChild("c"), { startImmediately: true })
      yield* waitFor("root/c", "leaving")
      yield* send("root/c", "left")
      while (registry.get("root/c")?.inlet !== undefined) yield* Effect.yieldNow
      assert.strictEqual(yield* reason("root/c"), "stopping")
      yield* Fiber.join(stopping)
      yield* restarted("root/a", 1)
      assert.deepInclude(yield* Effect.flip(ActorSystem.use((actors) => actors.supervisor("root/a"))), {
        reason: "machine", message: "Actor \"root/a\" cannot be reached: it is a machine, which has no children."
      })
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("of an empty root are the bare ids", () =>
    Effect.gen(function*() {
      yield* Supervisor.start({ address: "", strategy: "oneForOne", intensity, children: [
        worker("link"), supervisorChild({ id: "networks/n1", strategy: "restForOne", intensity, restart: "permanent", shutdownMs: 100, children: [worker("join")] })
      ] })
      yield* send("link", "work")
      yield* send("networks/n1/join", "work")
      yield* count("networks/n1/join", 1)
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("waitFor", () => {
  it.effect("fails when the actor is removed, or ends elsewhere, and can be interrupted", () =>
    Effect.gen(function*() {
      const root = yield* supervise(worker("a"), worker("b", { restart: "transient" }), worker("c"))
      const removed = yield* Effect.forkChild(Effect.flip(waitFor("root/a", "busy")), { startImmediately: true })
      const ended = yield* Effect.forkChild(Effect.flip(waitFor("root/b", "busy")), { startImmediately: true })
      const interrupted = yield* Effect.forkChild(waitFor("root/c", "busy"), { startImmediately: true })
      yield* root.stopChild("a")
      assert.strictEqual((yield* Fiber.join(removed)).reason, "unknown")
      yield* send("root/b", "done")
      assert.strictEqual((yield* Fiber.join(ended)).reason, "ended")
      assert.strictEqual((yield* waitFor("root/b", "finished")).status, "ended")
      yield* Fiber.interrupt(interrupted)
      assert.strictEqual((yield* ActorSystem).host.registry.get("root/c")?.watchers, undefined)
    }).pipe(Effect.provide(ActorSystem.layer)))
})

describe("changes", () => {
  it.effect("streams the states of everything at or below an address", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a"), worker("ab"), supervisorChild({
        id: "group", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 100, children: [worker("inner")]
      }))
      const actors = yield* ActorSystem
      const collect = (prefix: string, take: number) =>
        Effect.forkChild(Stream.runCollect(Stream.take(actors.changes(prefix), take)), { startImmediately: true })
      const ofA = yield* collect("root/a", 2)
      const ofGroup = yield* collect("root/group", 1)
      yield* send("root/ab", "invoke")
      yield* send("root/a", "invoke")
      yield* send("root/group/inner", "invoke")
      assert.deepStrictEqual((yield* Fiber.join(ofA)).map((actor) => [actor.address, actor.state]), [["root/a", "busy"], ["root/a", "idle"]])
      assert.deepStrictEqual((yield* Fiber.join(ofGroup)).map((actor) => [actor.address, actor.state]), [["root/group/inner", "busy"]])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("drops the oldest for a reader that lags", () =>
    Effect.gen(function*() {
      yield* supervise(worker("a", { mailbox: 4096 }))
      const actors = yield* ActorSystem
      const reader = yield* actors.changes("root/a").pipe(
        // The first element is held until the actor has handled everything.
        Stream.tap((actor) => actor.context["count"] === 1 ? count("root/a", 3000) : Effect.void),
        Stream.takeUntil((actor) => actor.context["count"] === 3000),
        Stream.runCount,
        Effect.forkChild({ startImmediately: true })
      )
      for (let sent = 0; sent < 3000; sent++) yield* send("root/a", "work")
      assert.isAtMost(yield* Fiber.join(reader), 2 * 1024)
    }).pipe(Effect.provide(ActorSystem.layer)))
})
