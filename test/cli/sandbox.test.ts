/** `gstacks sandbox ...` except exec, and confirmations. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeWorld } from "./world.ts"

describe("sandbox", () => {
  it.live("run sends everything after -- as it is, with labels, environment and binds", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      const ended = yield* cli([
        "sandbox", "run", "--label", "team=blue", "tool", "--agent", "host-2", "--env", "A=1", "--env", "B=x=y", "--env", "EMPTY=", "--bind", "/data:/data", "--bind", "/tmp/x:/x:rw",
        "--label=role=worker", "--", "git", "log", "--json", "-o", "yaml", "--", "a b", "", "$HOME"
      ])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.match(ended.stdout, /^sandbox tool \(sbx_\w+\) is running on host-2\n$/)
      assert.include(ended.stderr, "next: gstacks network attach <network> tool")
      const box = fake.sandboxes.find((s) => s.name === "tool")!
      assert.deepStrictEqual(box.spec, {
        command: ["git", "log", "--json", "-o", "yaml", "--", "a b", "", "$HOME"], env: { A: "1", B: "x=y", EMPTY: "" },
        binds: [{ source: "/data", target: "/data", writable: false }, { source: "/tmp/x", target: "/x", writable: true }]
      })
      assert.deepStrictEqual(box.labels, { team: "blue", role: "worker" })
    }).pipe(Effect.scoped))

  it.live("list and show", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* makeWorld
      assert.match((yield* cli("sandbox list")).stdout, /^NAME +ID +AGENT +NETWORKS +LABELS +STATE\nweb +sbx_\w+ +host-1 +- +- +running\nbackend +sbx_\w+ +host-2 +- +tier=back +running\n$/)
      assert.match((yield* cli("sandbox show web")).stdout, /Command: +sleep infinity\n/)
      assert.strictEqual((yield* json("sandbox show web")).name, "web")
      assert.strictEqual((yield* json("sandbox list")).length, 2)
    }).pipe(Effect.scoped))

  it.live("list when there is none", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.sandboxes.length = 0
      const empty = yield* cli("sandbox list")
      assert.deepStrictEqual([empty.code, empty.stdout, empty.stderr], [0, "", "there are no sandboxes\nnext: gstacks sandbox run web -- <command...>\n"])
    }).pipe(Effect.scoped))

  it.live("logs and stop", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* makeWorld
      const logs = yield* cli("sandbox logs web")
      assert.deepStrictEqual([logs.stdout, logs.stderr], ["hello from the log\n", "older output was left out\n"])
      assert.deepStrictEqual(yield* json("sandbox logs web"), { text: "hello from the log\n", truncated: true })
      assert.strictEqual((yield* cli("sandbox stop web")).stdout, "sandbox web is stopped (exit code 143)\n")
    }).pipe(Effect.scoped))

  it.live("remove lists the change and receipt of every network it was in", () =>
    Effect.gen(function*() {
      const { cli } = yield* makeWorld
      yield* cli("network create one")
      yield* cli("network create two")
      const removed = yield* cli("sandbox remove web --yes --json")
      const { value, changes, receipts } = JSON.parse(removed.stdout)
      assert.deepStrictEqual([removed.code, value.name, changes.length, receipts.length], [0, "web", 2, 2])
      assert.match((yield* cli("sandbox remove backend --yes")).stderr, /^topology v3 applied by 2\/2 agents in 41 ms\ntopology v3 applied/)
    }).pipe(Effect.scoped))
})

describe("confirmation", () => {
  it.live("asks a person; only yes goes on", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      const no = yield* cli("sandbox remove web", { answer: "n" })
      assert.deepStrictEqual([no.code, no.stdout], [1, ""])
      assert.include(no.stderr, "nothing was changed")
      assert.notInclude(fake.calls, "sandboxes.remove")
      assert.strictEqual((yield* cli("sandbox remove web", { answer: "y" })).code, 0)
    }).pipe(Effect.scoped))

  it.live("without a terminal every removal needs --yes, and the hint is the whole command", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      yield* cli("network create dev")
      for (const line of ["network delete dev", "network delete dev --cascade", "network detach dev web", "sandbox remove web", "agent remove host-1"]) {
        const ended = yield* cli(line)
        assert.deepStrictEqual([ended.code, ended.stdout], [2, ""])
        assert.include(ended.stderr, `next: gstacks ${line} --yes\n`)
      }
      assert.deepStrictEqual(fake.calls.filter((call) => /remove|detach/.test(call)), [])
      assert.strictEqual((yield* cli("network delete dev -y")).code, 0)
    }).pipe(Effect.scoped))
})
