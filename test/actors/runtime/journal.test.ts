import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setup } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import { errorText } from "../../../src/actors/runtime/errorText.ts"
import { Journal } from "../../../src/actors/runtime/Journal.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { restarted, send, snapshot, tree, worker } from "./worker.ts"

const intensity = { restarts: 5, withinMs: 10_000 }

const note = (journal: Journal, address: string) => journal.append(0, address, "event", "work", "idle", "idle", null)

describe("Journal", () => {
  it("is bounded in bytes; the oldest entries go", () => {
    const journal = new Journal(64 * 1024)
    for (let at = 0; at < 10_000; at++) {
      journal.append(at, `networks/net_${at % 7}/topology`, "event", "topology.received", "applied", "applying", null)
      assert.isAtMost(journal.bytes, journal.maxBytes)
    }
    const entries = journal.entries()
    assert.isAbove(entries.length, 200)
    assert.strictEqual(entries.at(-1)?.seq, 10_000)
    assert.deepStrictEqual(entries.map((entry) => entry.seq), entries.map((_, index) => 10_000 - entries.length + 1 + index))
    assert.isAtMost(JSON.stringify(entries).length, journal.maxBytes)
  })

  it("never keeps an entry larger than itself", () => {
    const journal = new Journal(1000)
    journal.append(0, "a", "crashed", null, null, null, "x".repeat(5000))
    assert.deepStrictEqual([journal.entries().length, journal.bytes], [0, 0])
  })

  it("selects an address and what is below it", () => {
    const journal = new Journal(100_000)
    for (const address of ["networks/1", "networks/1/join", "networks/10", "link"]) note(journal, address)
    assert.deepStrictEqual(journal.entries("networks/1").map((entry) => entry.address), ["networks/1", "networks/1/join"])
  })
})

describe("what is shown", () => {
  it.effect("events with the state they led to, and when, on Effect's clock", () =>
    Effect.gen(function*() {
      yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [worker("a")] })
      yield* send("root/a", "invoke")
      yield* ActorSystem.use((actors) => actors.waitFor("root/a", "idle"))
      const actors = yield* ActorSystem
      while (actors.journal.entries("root/a").length < 4) yield* Effect.yieldNow
      assert.deepStrictEqual(actors.journal.entries("root/a").map((entry) => [entry.at, entry.kind, entry.event, entry.from, entry.state, entry.detail]), [
        [0, "started", null, null, null, "worker"],
        [0, "event", "xstate.init", null, "idle", null],
        [0, "event", "invoke", "idle", "busy", null],
        [0, "event", "xstate.done.actor.0.worker.busy", "busy", "idle", null]
      ])
    }).pipe(Effect.provide(ActorSystem.layer)))

  it.effect("no context key that is not allowed, no payload, no credential in an error", () =>
    Effect.gen(function*() {
      const key = "hskey-auth-AbCdEfGh12345678"
      const leaky = setup({ types: { context: {} as { key: string; host: string }, events: {} as { type: "join"; key: string } } }).createMachine({
        id: "leaky",
        context: { key, host: "host-1" },
        on: { join: { actions: ({ event }) => { throw new Error(`join with ${event.key} refused`) } } }
      })
      yield* Supervisor.start({ address: "root", strategy: "oneForOne", intensity, children: [
        machineChild({ id: "a", logic: leaky, restart: "permanent", shutdownMs: 100, redact: ["host"] })
      ] })
      yield* ActorSystem.use((actors) => actors.send("root/a", { type: "join", key } as { type: string }))
      yield* restarted("root/a", 1)
      const shown = JSON.stringify([yield* tree, (yield* ActorSystem).journal.entries()])
      assert.notInclude(shown, "AbCdEfGh")
      assert.include(shown, "join with [redacted] refused")
      assert.deepStrictEqual((yield* snapshot("root/a")).context, { host: "host-1" })
    }).pipe(Effect.provide(ActorSystem.layer)))

  it("URLs without the user's part, and no keys in base64", () => {
    assert.strictEqual(errorText("no answer from postgres://gs:hunter2secret@db/gs"), "no answer from postgres://[redacted]@db/gs")
    assert.strictEqual(errorText("https://token@host:8443/x and http://a:p@ss@b"), "https://[redacted]@host:8443/x and http://[redacted]@b")
    for (const key of [
      "Qm9vbS9ib29tL2Jvb20vYm9vbS9ib29tL2Jvb20vYm8=", "q8/Zk3Vt/LwX0pR7/mJ2uYb+5Hs1NcDf4GaQe6TiKo9=", "/x7Kp/Qz9mWv3/Lr5TnB8/cY1HdG/s4JfA6/eUo2Rk+Xi0"
    ]) assert.strictEqual(errorText(`key ${key} is refused`), "key [redacted] is refused")
  })

  it("paths, addresses and URLs as they are", () => {
    for (const text of [
      "ENOENT: open '/var/lib/gstacks/networks/net_01jd3zq8f0v7m5k2c9x4t6w8yb/topology.json'",
      "/home/Ann/Projects/GStacks/src/crypto/Base64EncoderStream.ts:12:3",
      "agent/networks/net_01jd3zq8f0v7m5k2c9x4t6w8yb/alias/als_01jd3zq8f0v7m5k2c9x4t6w8yb:8080",
      "GET http://127.0.0.1:7070/v1/networks/dev/aliases?user=ann@example.com is refused",
      "at run (file:///work/gstacks/node_modules/effect/src/internal/effect.ts:1476:28)"
    ]) assert.strictEqual(errorText(text), text)
  })

  it("errors of any kind as one bounded line", () => {
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    assert.strictEqual(errorText(new TypeError("bad")), "TypeError: bad")
    assert.strictEqual(errorText("text"), "text")
    assert.strictEqual(errorText(undefined), "undefined")
    assert.strictEqual(errorText({ code: 7 }), "{\"code\":7}")
    assert.strictEqual(errorText(circular), "an error that cannot be shown")
    assert.strictEqual(errorText("Bearer abc.def"), "[redacted]")
    assert.strictEqual(errorText(`token -${"a".repeat(31)}`), "token [redacted]", "32 characters, the first of which is no letter")
    assert.strictEqual(errorText("net_01jd3zq8f0v7m5k2c9x4t6w8yb is unknown"), "net_01jd3zq8f0v7m5k2c9x4t6w8yb is unknown")
    assert.isAtMost(errorText("word ".repeat(1000)).length, 503)
  })
})
