/** `gstacks network flows` and `metrics`: what is asked, what is shown in each format, and how it goes on. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { vi } from "vitest"
import { type AliasMetrics, counted } from "../../src/domain/AliasMetrics.ts"
import type { FlowList } from "../../src/domain/Flow.ts"
import { flow, refusal, uncut } from "../harness/sampleFlows.ts"
import { makeWorld } from "./world.ts"

vi.setConfig({ testTimeout: 60_000 }) // what goes on asks every second

const story = Effect.gen(function*() {
  const world = yield* makeWorld
  yield* world.cli("network create dev")
  world.fake.flows = {
    flows: [flow({ seenBy: ["source", "target"] }), flow({ id: "s-2", closedAt: null, end: null, micros: 300e6, firstByteMicros: null, bytesToSource: 0 })], refusals: [refusal(), refusal({ port: 0, by: "target" })], cut: uncut,
    agents: [{ agent: "host-1", problem: null, lost: 0 }, { agent: "host-2", problem: null, lost: 0 }]
  }
  return world
})

describe("network metrics", () => {
  it.live("a line for each alias, or for the one that is asked for", () => Effect.gen(function*() {
    const { cli, fake } = yield* story
    assert.match((yield* cli("network metrics dev")).stderr, /nothing was counted in network dev .*\nnext: gstacks network flows dev/)
    const counts = [flow(), flow({ end: "reset", by: "target" }), refusal()].reduce<AliasMetrics | undefined>(counted, undefined)!
    fake.metrics = { aliases: [{ ...counts, opened: 3, open: 1 }, { ...counts, alias: "db" }], agents: [{ agent: "host-2", problem: "Agent \"host-2\" is not connected." }] }
    const { stdout, stderr } = yield* cli("network metrics dev api")
    assert.strictEqual(stdout, [
      "ALIAS  OPEN  OPENED  ENDED  BROKEN   REFUSALS  SENT   RECEIVED  CONNECT P50  P99       FIRST BYTE P50  P99",
      "api    1     3       2      1 reset  3         156 B  26.4 kB   < 1.0 ms     < 1.0 ms  < 2.5 ms        < 2.5 ms", ""
    ].join("\n"))
    assert.match(stderr, /^what host-2 has counted is missing: /)
    assert.strictEqual((yield* cli("network metrics dev -o name")).stdout, "api\ndb\n")
  }).pipe(Effect.scoped))
})

describe("network flows", () => {
  it.live("a line for each stream", () => Effect.gen(function*() {
    const { cli } = yield* story
    const { code, stdout, stderr } = yield* cli("network flows dev")
    assert.strictEqual(code, 0)
    assert.strictEqual(stderr, "")
    assert.strictEqual(stdout, [
      "OPENED                    SOURCE       TARGET    END       LASTED   SENT  RECEIVED  CONNECT  FIRST BYTE  PATH    RULE                    ERROR",
      "1970-01-01T00:00:01.000Z  sandbox:web  api:8080  complete  12.3 ms  78 B  13.2 kB   850 us   2.1 ms      direct  rul_000000000000000001  -",
      "1970-01-01T00:00:01.000Z  sandbox:web  api:8080  open      5 min    78 B  0 B       850 us   -           direct  rul_000000000000000001  -", ""
    ].join("\n"))
  }).pipe(Effect.scoped))

  it.live("--denied: a line for each pair, and names of pairs", () => Effect.gen(function*() {
    const { cli } = yield* story
    assert.match((yield* cli("network flows dev --denied")).stdout, /01\.500Z +sandbox:web +api:9090 +3 +1970-01-01T00:00:01.000Z +source's host\n.* api:others .* target's host\n$/)
    assert.strictEqual((yield* cli("network flows dev --denied -o name")).stdout, "sandbox:web api:9090\nsandbox:web api:0\n")
  }).pipe(Effect.scoped))

  it.live("asks for no more than was asked for; the document is the API's", () => Effect.gen(function*() {
    const { cli, fake, json } = yield* story
    assert.deepStrictEqual(yield* json("network flows dev --source web --to api:8080 --since 10m --limit 5 --denied"), fake.flows)
    yield* cli("network flows dev --to api")
    assert.deepStrictEqual(fake.flowQueries, [
      { denied: "true", source: "web", alias: "api", port: 8080, withinMs: 600_000, limit: 5 }, { alias: "api", withinMs: 3_600_000, limit: 100 }
    ])
  }).pipe(Effect.scoped))

  it.live("who did not answer, and what was lost, is said", () => Effect.gen(function*() {
    const { cli, fake } = yield* story
    fake.flows = { flows: [], refusals: [], cut: { open: true, ended: false, refusals: false }, agents: [{ agent: "host-1", problem: "Agent \"host-1\" is not connected.", lost: 0 }, { agent: "host-2", problem: null, lost: 7 }] }
    const { code, stderr } = yield* cli("network flows dev")
    assert.strictEqual(code, 0)
    assert.match(stderr, /^the flows of host-1 are missing: Agent "host-1" is not connected\.\nhost-2 has lost 7 records[^\n]*\nthere are more streams that are open than are shown: only the newest 100; raise --limit, or narrow/)
  }).pipe(Effect.scoped))

  it.live("what is not valid is refused before anything is asked", () => Effect.gen(function*() {
    const { cli, fake } = yield* story
    for (const words of ["--to api:0", "--to api:80:90", "--to Api", "--since soon", "--limit 0", "--limit 1001", "--limit all"]) {
      const { code, stderr } = yield* cli(`network flows dev ${words}`)
      assert.strictEqual(code, 2, words)
      assert.match(stderr, /is not valid: expected/)
    }
    assert.deepStrictEqual(fake.flowQueries, [])
    assert.strictEqual((yield* cli("network flows nowhere")).code, 3)
  }).pipe(Effect.scoped))

  /** What `--follow` has said when it is the last that is wanted; `then` is the fake's next answer after so many lines. */
  const followed = Effect.fnUntraced(function*(words: string, count: number, then: Readonly<Record<number, Partial<FlowList>>>) {
    const { cli, fake } = yield* story
    const ended = yield* Deferred.make<void>()
    const said: Array<string> = []
    let notes = ""
    const following = yield* Effect.forkChild(cli(`network flows dev --json ${words}`, {
      onErr: (text) => { notes += text },
      onOut: (text) => {
        said.push(...text.trim().split("\n"))
        fake.flows = { ...fake.flows, ...then[said.length] }
        if (said.length === count) Deferred.doneUnsafe(ended, Effect.void)
      }
    }))
    yield* Deferred.await(ended).pipe(Effect.timeout("20 seconds"))
    yield* Fiber.interrupt(following)
    return { fake, notes, said: said.map((line) => JSON.parse(line)) }
  }, Effect.scoped)

  it.live("--follow shows each opening and each end once", () => Effect.gen(function*() {
    const { notes, said } = yield* followed("--follow", 3, { 2: { flows: [flow(), flow({ id: "s-2", end: "revoked" })], cut: { ...uncut, ended: true } } })
    assert.deepStrictEqual(said.map(({ id, end }) => [id, end]), [["s-1", "eof"], ["s-2", null], ["s-2", "revoked"]])
    assert.strictEqual(notes, "", "what was cut had been shown")
  }))

  it.live("--follow says when there was more than it could show", () => Effect.gen(function*() {
    const { notes } = yield* followed("--follow --limit 2", 4, { 2: { flows: [flow({ id: "s-3" }), flow({ id: "s-4" })], cut: { ...uncut, ended: true } } })
    assert.match(notes, /^there are more streams that have ended than are shown: only the newest 2;/)
  }))

  it.live("--follow --denied tells each attempt once", () => Effect.gen(function*() {
    const more = [refusal(), refusal({ count: 2, firstAt: 1500, lastAt: 2500 })]
    const { fake, said } = yield* followed("--follow --denied", 3, { 2: { refusals: [...more, refusal({ port: 0, by: "target" })] } })
    assert.deepStrictEqual(said.map(({ by, count }) => [by, count]), [["source", 3], ["target", 3], ["source", 2]])
    assert.isTrue(fake.flowQueries.every((query) => query.apart === "true" && query.denied === "true"))
  }))
})
