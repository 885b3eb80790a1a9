/** `gstacks network limit ...`: what is sent, what is shown, what is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type AliasMetrics, counted } from "../../src/domain/AliasMetrics.ts"
import { flow } from "../harness/sampleFlows.ts"
import { makeWorld } from "./world.ts"

describe("network limit", () => {
  it.live("set, list, show and clear", () => Effect.gen(function*() {
    const { cli, fake } = yield* makeWorld
    yield* cli("network create dev")
    assert.match((yield* cli("network limit list dev")).stderr, /network dev has no limits\nnext: gstacks network limit set dev/)
    const set = yield* cli("network limit set dev --alias api --max-streams 100 --max-rate 50/s")
    assert.deepStrictEqual([set.code, set.stdout], [0, "alias api in dev: at most 100 streams at a time, 50 new ones a second\n"])
    assert.match(set.stderr, /topology v2 applied by 2\/2 agents/)
    assert.strictEqual((yield* cli("network limit set dev --source sandbox:web --max-streams 2")).stdout, "source sandbox:web in dev: at most 2 streams at a time\n")
    const ended = [...["web", "web", "a", "b", "c"].map((name) => flow({ end: "limit", source: `sandbox:${name}` })), flow()]
    fake.metrics = { aliases: [ended.reduce<AliasMetrics | undefined>(counted, undefined)!], agents: [] }
    assert.strictEqual((yield* cli("network limit list dev")).stdout, [
      "LIMIT ON            STREAMS AT A TIME  NEW A SECOND  EXCEEDED  BY",
      "alias api           100                50            5         sandbox:web 2, sandbox:a 1, sandbox:b 1, 1 more",
      "source sandbox:web  2                  -             2         api 2", ""
    ].join("\n"))
    assert.match((yield* cli("network show dev")).stdout, /LIMITS\nLIMIT ON .*\nalias api +100 +50 +5 +sandbox:web 2, .*\nsource sandbox:web +2 +- +2 +api 2\n/)
    assert.deepInclude(JSON.parse((yield* cli("network show dev --json")).stdout).limits[1], { sandbox: "web", exceeded: 2, by: [{ name: "api", count: 2 }] })
    assert.strictEqual((yield* cli("network limit clear dev --source web")).stdout, "source sandbox:web in dev is not limited any more\n")
    assert.strictEqual((yield* cli("network limit clear dev --source web")).code, 3)
  }).pipe(Effect.scoped))

  it.live("what is not valid is refused before anything is sent", () => Effect.gen(function*() {
    const { cli, fake } = yield* makeWorld
    yield* cli("network create dev")
    for (const words of ["--max-streams 0", "--max-streams 1000001", "--max-streams x", "--max-rate 0/s", "--max-rate 5/m", "--max-rate 100001"]) {
      const { code, stderr } = yield* cli(`network limit set dev --alias api ${words}`)
      assert.strictEqual(code, 2, words)
      assert.match(stderr, /is not valid: expected/)
    }
    for (const words of ["set dev --max-streams 1", "set dev --alias api --source web --max-streams 1", "clear dev"]) {
      assert.match((yield* cli(`network limit ${words}`)).stderr, /a limit is on an alias or on a source\nnext: give one of --alias and --source/)
    }
    assert.deepStrictEqual(fake.limits, [])
  }).pipe(Effect.scoped))
})
