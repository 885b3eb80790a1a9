import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { supervisorChild } from "../../../src/actors/runtime/ChildSpec.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { history, restarted, send, tree, waitFor, waitForStatus, worker, workerMachine } from "./worker.ts"

const intensity = { restarts: 1, withinMs: 10_000 }
const addresses = Effect.map(tree, (actors) => actors.map((actor) => actor.address))

describe("dynamic children", () => {
  it.effect("are added behind the others, found by address, stopped, removed and added again", () =>
    Effect.gen(function*() {
      yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [
        supervisorChild({ id: "networks/1", strategy: "restForOne", intensity, restart: "permanent", shutdownMs: 1000, children: [worker("topology")] })
      ] })
      const network = yield* ActorSystem.use((actors) => actors.supervisor("root/networks/1"))
      yield* network.startChild(worker("alias/api:8080"))
      yield* network.startChild(supervisorChild({ id: "sub", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 1000, children: [worker("x")] }))
      const all = ["root", "root/networks/1", "root/networks/1/topology", "root/networks/1/alias/api:8080", "root/networks/1/sub", "root/networks/1/sub/x"]
      assert.deepStrictEqual(yield* addresses, all)
      const twice = yield* Effect.flip(network.startChild(worker("alias/api:8080")))
      assert.deepInclude(twice, { _tag: "AlreadyStarted", address: "root/networks/1/alias/api:8080" })
      yield* network.stopChild("alias/api:8080")
      yield* network.stopChild("alias/api:8080")
      yield* network.stopChild("never there")
      assert.deepStrictEqual(yield* addresses, all.filter((address) => !address.includes("alias")))
      yield* network.startChild(worker("alias/api:8080"))
      yield* send("root/networks/1/topology", "crash.action")
      yield* restarted("root/networks/1/topology", 1)
      yield* restarted("root/networks/1/alias/api:8080", 1)
      yield* waitFor("root/networks/1/sub/x", "idle")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("replace an ended child of the same id", () =>
    Effect.gen(function*() {
      const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [] })
      const run = worker("diagnostic/1", { restart: "transient" })
      yield* root.startChild(run)
      yield* send("root/diagnostic/1", "done")
      yield* waitForStatus("root/diagnostic/1", "ended")
      yield* root.startChild(run)
      yield* waitFor("root/diagnostic/1", "idle")
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("are forgotten when their supervisor is restarted; an old reference says so", () =>
    Effect.gen(function*() {
      yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity: { restarts: 5, withinMs: 1000 }, children: [
        supervisorChild({ id: "group", strategy: "oneForOne", intensity: { restarts: 0, withinMs: 1000 }, restart: "permanent", shutdownMs: 1000, children: [worker("static")] })
      ] })
      const group = yield* ActorSystem.use((actors) => actors.supervisor("root/group"))
      yield* group.startChild(worker("dynamic"))
      yield* send("root/group/dynamic", "crash.action")
      assert.strictEqual((yield* Effect.flip(group.failed)).child, "root/group/dynamic")
      yield* restarted("root/group", 1)
      assert.deepStrictEqual(yield* addresses, ["root", "root/group", "root/group/static"])
      assert.strictEqual((yield* Effect.flip(group.startChild(worker("dynamic"))))._tag, "AddressGone")
      const again = yield* ActorSystem.use((actors) => actors.supervisor("root/group"))
      yield* again.startChild(worker("dynamic"))
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("may stop themselves and start siblings from what they invoke", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const bridge = yield* Bridge.make<ActorSystem>()
      const job = bridge.fromEffect<string, string, { name: string }>(({ name }) =>
        Effect.gen(function*() {
          const group = yield* ActorSystem.use((actors) => actors.supervisor("root"))
          yield* group.startChild(worker("sibling"))
          yield* group.stopChild(name)
          return "not reached: stopping interrupts this"
        }).pipe(Effect.orDie))
      yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [worker("a", { logic: workerMachine.provide({ actors: { job } }) })] })
        .pipe(Scope.provide(scope))
      yield* send("root/a", "invoke")
      while ((yield* addresses).includes("root/a")) yield* Effect.yieldNow
      assert.deepStrictEqual(yield* addresses, ["root", "root/sibling"])
      assert.deepStrictEqual(yield* history("root/a"), ["started", "stopped", "removed"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a request that the supervisor is at when it is stopped is answered", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [
        worker("slow", { stopEvent: { type: "leave" } })
      ] }).pipe(Scope.provide(scope))
      const stopping = yield* Effect.forkChild(root.stopChild("slow"), { startImmediately: true })
      yield* waitFor("root/slow", "leaving")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Fiber.join(stopping)
      assert.strictEqual((yield* waitFor("root/slow", "leaving")).status, "stopping")
      yield* send("root/slow", "left")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* addresses, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("two with one address are a defect of the program, said at start", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [worker("a"), worker("a")] })))
      assert.match(String(exit), /Two actors have the address "root\/a"/)
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("that are stopped count as no crash and touch no sibling", () =>
    Effect.gen(function*() {
      const root = yield* Supervisor.start({ address: "root", strategy: "restForOne", intensity, children: [] })
      for (const id of ["a", "b", "c", "d", "last"]) yield* root.startChild(worker(id))
      for (const id of ["a", "b", "c", "d"]) yield* root.stopChild(id)
      yield* root.startChild(worker("e"))
      assert.deepStrictEqual((yield* tree).map((actor) => [actor.address, actor.status, actor.restarts]), [
        ["root", "running", 0], ["root/last", "running", 0], ["root/e", "running", 0]
      ])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("that cannot be started leave nothing behind", () =>
    Effect.gen(function*() {
      const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [] })
      const broken = supervisorChild({
        id: "group", strategy: "oneForOne", intensity, restart: "permanent", shutdownMs: 1000, children: [worker("a"), worker("b"), worker("a")]
      })
      assert.match(String(yield* Effect.exit(root.startChild(broken))), /Two actors have the address "root\/group\/a"/)
      assert.deepStrictEqual(yield* addresses, ["root"])
      yield* root.startChild(worker("group"))
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("requests that a stopping supervisor does not get to are answered", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [worker("a")] }).pipe(Scope.provide(scope))
      const start = yield* Effect.forkChild(Effect.exit(root.startChild(worker("b"))), { startImmediately: true })
      const stop = yield* Effect.forkChild(root.stopChild("a"), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(start)
      yield* Fiber.join(stop)
      assert.deepStrictEqual(yield* addresses, [])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("a supervisor that does not keep up refuses to start more, lets stops wait, and loses none", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const root = yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [
        worker("slow", { stopEvent: { type: "leave" } }), worker("a"), worker("b")
      ] }).pipe(Scope.provide(scope))
      const now = { startImmediately: true } as const
      const slow = yield* Effect.forkChild(root.stopChild("slow"), now)
      yield* waitFor("root/slow", "leaving")
      const c = yield* Effect.forkChild(root.startChild(worker("c")), now)
      const given = yield* Effect.forkChild(root.startChild(worker("given up")), now)
      const refused = yield* Effect.flip(root.startChild(worker("d")))
      assert.deepInclude(refused, { _tag: "MailboxFull", address: "root", capacity: 3, event: "start d" })
      yield* Fiber.interrupt(given)
      assert.strictEqual((yield* Effect.flip(root.startChild(worker("d"))))._tag, "MailboxFull")
      const stops = [yield* Effect.forkChild(root.stopChild("a"), now), yield* Effect.forkChild(root.stopChild("b"), now)]
      yield* send("root/slow", "left")
      yield* Fiber.joinAll([slow, c, ...stops])
      assert.deepStrictEqual(yield* addresses, ["root", "root/c", "root/given up"])
      yield* root.startChild(worker("d"))
      yield* root.startChild(worker("slow", { stopEvent: { type: "leave" } }))
      const waiting = yield* Effect.forEach(["slow", "c", "d", "given up", "e"], (id) => Effect.forkChild(root.stopChild(id), now))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), now)
      yield* send("root/slow", "left")
      yield* Fiber.joinAll([closing, ...waiting])
      assert.deepStrictEqual(yield* addresses, [])
    }).pipe(Effect.provide(ActorSystem.layerWith({ mailbox: 3 }))))
})
