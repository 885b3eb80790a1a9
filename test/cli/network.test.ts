/** `gstacks network ...`: what is sent, what is shown in each format, receipts and exit codes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { makeWorld } from "./world.ts"

const story = Effect.gen(function*() {
  const world = yield* makeWorld
  yield* world.cli("network create dev")
  yield* world.cli("network attach dev web")
  yield* world.cli("network attach dev backend --alias api --port 8080 --port 9090")
  yield* world.cli("network policy allow dev --from sandbox:web --to api --port 8080")
  return world
})

describe("network", () => {
  it.live("create says what changed on stdout and the receipt on stderr", () =>
    Effect.gen(function*() {
      const { cli } = yield* makeWorld
      const made = yield* cli("network create dev")
      assert.deepStrictEqual({ code: made.code, stdout: made.stdout, stderr: made.stderr }, {
        code: 0, stdout: "network dev created; its names end in .dev.gstacks\n", stderr: "topology v1 applied by 2/2 agents in 41 ms\n"
      })
    }).pipe(Effect.scoped))

  it.live("a change with --json is one document of value, change and receipt", () =>
    Effect.gen(function*() {
      const { cli } = yield* makeWorld
      const made = yield* cli("network create dev --json")
      const document = JSON.parse(made.stdout)
      assert.strictEqual(made.code, 0)
      assert.deepStrictEqual(Object.keys(document), ["value", "change", "receipt"])
      assert.strictEqual(document.value.name, "dev")
      assert.deepStrictEqual([document.change.version, document.receipt.version, document.receipt.applied], [1, 1, 2])
    }).pipe(Effect.scoped))

  it.live("--wait=stored asks for no receipt", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      const made = yield* cli("network create dev --wait=stored --json")
      assert.strictEqual(JSON.parse(made.stdout).receipt, null)
      assert.strictEqual(made.stderr, "topology v1 of dev stored\n")
      assert.notInclude(fake.calls, "networks.receipt")
    }).pipe(Effect.scoped))

  it.live("an agent that does not apply: the change is shown, then who is waited for, and exit code 6", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.pending = [{ agent: "host-2" as never, online: false, reason: "is not connected" }]
      const made = yield* cli("network create dev --timeout 50ms")
      assert.strictEqual(made.code, 6)
      assert.include(made.stdout, "network dev created")
      assert.include(made.stderr, "topology v1 applied by 1/2 agents; pending: host-2 (offline)")
      assert.match(made.stderr, /error: stored, but .* after 0.05 s; pending: host-2 \(offline\)\nnext: gstacks network show dev/)
      const json = yield* cli("network create other --timeout 50ms --json")
      assert.strictEqual(json.code, 6)
      assert.strictEqual(JSON.parse(json.stdout).receipt.pending.length, 1, "stdout holds the one document of the change")
    }).pipe(Effect.scoped))

  it.live("a receipt that cannot be read: the change is shown as stored, and exit code 1", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.receiptsFail = true
      const made = yield* cli("network create dev")
      assert.deepStrictEqual([made.code, made.stdout], [1, "network dev created; its names end in .dev.gstacks\n"])
      assert.strictEqual(made.stderr,
        "topology v1 of dev stored\nerror: the change is stored, but who has applied it is unknown: The database does not answer.\nnext: gstacks doctor\n")
      const json = yield* cli("network create other --json")
      assert.deepStrictEqual([json.code, JSON.parse(json.stdout).receipt], [1, null])
    }).pipe(Effect.scoped))

  it.live("with no participants says so instead of counting zero of zero", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.participants = 0
      assert.include((yield* cli("network create dev")).stderr, "topology v1 stored; no agent takes part in dev yet")
    }).pipe(Effect.scoped))

  it.live("--quiet keeps stderr empty, --wait and -o name keep scripts short", () =>
    Effect.gen(function*() {
      const { cli } = yield* makeWorld
      const made = yield* cli("-q network create dev -o name")
      assert.deepStrictEqual([made.stdout, made.stderr], ["dev\n", ""])
    }).pipe(Effect.scoped))

  it.live("list in every format", () =>
    Effect.gen(function*() {
      const { cli } = yield* story
      assert.strictEqual((yield* cli("network list")).stdout,
        "NAME  SUFFIX       VERSION  SANDBOXES  ALIASES  RULES\ndev   dev.gstacks  v4       2          1        1\n")
      assert.strictEqual(JSON.parse((yield* cli("network list -o json")).stdout)[0].name, "dev")
      assert.strictEqual(JSON.parse((yield* cli("network list -o jsonl")).stdout).version, 4)
      assert.match((yield* cli("network list -o yaml")).stdout, /^- id: net_\w+\n  name: dev\n  suffix: dev\.gstacks\n/)
      assert.strictEqual((yield* cli("network list -o name")).stdout, "dev\n")
    }).pipe(Effect.scoped))

  it.live("an empty list names the next command on stderr and exits 0", () =>
    Effect.gen(function*() {
      const { cli } = yield* makeWorld
      const empty = yield* cli("network list")
      assert.deepStrictEqual([empty.code, empty.stdout, empty.stderr], [0, "", "there are no networks\nnext: gstacks network create dev\n"])
      assert.strictEqual((yield* cli("network list --json")).stdout, "[]\n")
      assert.strictEqual((yield* cli("network list -o name")).stdout, "")
    }).pipe(Effect.scoped))

  it.live("show has desired and applied per agent, sandboxes, aliases and rules", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* story
      const { stdout } = yield* cli("network show dev")
      assert.match(stdout, /AGENT +ONLINE +DESIRED +APPLIED +JOINED +REASON\nhost-1 +yes +v4 +v4 +yes +-\n/)
      assert.match(stdout, /api\.dev\.gstacks +127\.64\.1\.1 +8080,9090 +backend +host-2/)
      assert.match(stdout, /rul_\w+ +sandbox:web +api +8080/)
      assert.deepStrictEqual(Object.keys(yield* json("network show dev")).sort(), ["agents", "aliases", "attachments", "limits", "localNodes", "network", "publishers", "rules"])
    }).pipe(Effect.scoped))

  it.live("resolve", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* story
      assert.match((yield* cli("network resolve dev api")).stdout, /Address: +127\.64\.1\.1\nPorts: +8080, 9090\nSandbox: +backend \(sbx_\w+\)\nAgent: +host-2 \(online\)/)
      assert.strictEqual((yield* cli("network resolve dev api -o name")).stdout, "127.64.1.1\n")
      assert.strictEqual((yield* json("network resolve dev api")).sandbox, "backend")
    }).pipe(Effect.scoped))

  it.live("test shows each check as it comes, the first failure and the verdict: 0 reachable, 5 denied, 1 unreachable", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* story
      const reachable = yield* cli("network test dev sandbox:web api:8080")
      assert.strictEqual(reachable.code, 0)
      assert.match(reachable.stdout, /^ok +mesh +control plane +joined\nok +policy +control plane +a rule allows it\n\nverdict: reachable: sandbox:web -> api:8080 \(rule rul_\w+\)\n$/)
      fake.verdict = "denied"
      const denied = yield* cli("network test dev local api:8080")
      assert.strictEqual(denied.code, 5)
      assert.match(denied.stdout, /FAIL +policy .*\n +seen: version: v7\n +next: gstacks network policy allow\n\nfirst failure: policy, found by control plane: no rule\nnext: gstacks network policy allow\nverdict: denied: no rule lets local -> api:8080\n$/)
      const json = yield* cli("network test dev local api:8080 --json")
      assert.deepStrictEqual([json.code, JSON.parse(json.stdout).verdict, JSON.parse(json.stdout).trouble.check], [5, "denied", "policy"])
      const lines = (yield* cli("network test dev local api:8080 -o jsonl")).stdout.trim().split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(lines.map((line) => line.check ?? line.verdict), ["mesh", "policy", "denied"])
      fake.verdict = "unreachable"
      assert.strictEqual((yield* cli("network test dev sandbox:web api:8080")).code, 1)
    }).pipe(Effect.scoped))

  it.live("runs of test are listed, shown again, compared and cancelled", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* story
      yield* cli("network test dev sandbox:web api:8080")
      const [before] = (yield* cli("network tests list dev -o name")).stdout.trim().split("\n")
      fake.verdict = "denied"
      const after = yield* cli(`network test dev sandbox:web api:8080 --compare ${before}`)
      assert.strictEqual(after.code, 5)
      assert.match(after.stdout, /before: run_\w+ .*reachable\nafter: +run_\w+ .*denied\nCHECK +AGENT +BEFORE +AFTER\npolicy +control plane +ok +FAIL: no rule\n$/)
      const [last] = (yield* cli("network tests list dev -o name")).stdout.trim().split("\n")
      const shown = yield* cli(`network tests show dev ${last}`)
      assert.deepStrictEqual([shown.code, /verdict: denied/.test(shown.stdout)], [5, true])
      assert.match((yield* cli(`network tests compare dev ${last} ${last}`)).stdout, /every check says the same/)
      assert.match((yield* cli(`network tests cancel dev ${last}`)).stdout, /is cancelled/)
      assert.strictEqual((yield* cli("network tests show dev run_none")).code, 3)
    }).pipe(Effect.scoped))

  it.live("trace shows a line a hop with microseconds, and where it stops: 0 reachable, 5 denied, 1 unreachable", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* story
      const open = yield* cli("network trace dev sandbox:web api:8080")
      assert.strictEqual(open.code, 0)
      assert.match(open.stdout, /^ok +name lookup +- +150 us  api\.dev\.gstacks is 127\.64\.1\.1\nok +mesh path +- +533 us  direct\n\nreachable: sandbox:web -> api:8080\n$/)
      fake.verdict = "unreachable"
      const cut = yield* cli("network trace dev sandbox:web api:8080")
      assert.strictEqual(cut.code, 1)
      assert.match(cut.stdout, /FAIL +mesh path .*no answer\n +next: see the mesh check\n\nunreachable: .*, it stops at mesh path\n$/)
      fake.verdict = "denied"
      const json = yield* cli("network trace dev sandbox:web api:8080 -o json")
      assert.deepStrictEqual([json.code, JSON.parse(json.stdout).broken], [5, "mesh"])
    }).pipe(Effect.scoped))

  it.live("a test that is interrupted is cancelled", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* story
      fake.checksAnswered = false
      const running = yield* Effect.forkChild(cli("network test dev sandbox:web api:8080"))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => fake.calls.includes("networks.testRun") })
      yield* Fiber.interrupt(running)
      assert.include(fake.calls, "networks.cancelTest")
    }).pipe(Effect.scoped))

  it.live("alias add, list, move, remove of a port and of the whole", () =>
    Effect.gen(function*() {
      const { cli } = yield* story
      assert.match((yield* cli("network alias add dev backend worker --port 7000")).stdout, /^worker\.dev\.gstacks is 127\.64\.1\.2, port 7000, sandbox backend\n$/)
      assert.strictEqual((yield* cli("network alias list dev -o name")).stdout, "api\nworker\n")
      assert.match((yield* cli("network alias move dev worker web")).stdout, /moved to sandbox web; its address stays 127\.64\.1\.2/)
      assert.strictEqual((yield* cli("network alias remove dev api --port 9090")).stdout, "port 9090 removed from alias api\n")
      assert.strictEqual((yield* cli("network alias remove dev worker")).stdout, "alias worker removed from dev\n")
    }).pipe(Effect.scoped))

  it.live("policy allow for a range, a time and with a comment; the list shows all three", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* story
      const made = yield* cli(["network", "policy", "allow", "dev", "--from", "local:ann", "--to", "api", "--port", "8080-9090", "--for", "2h", "--comment", "the migration"])
      assert.match(made.stdout, /^rule rul_\w+: local:ann may reach api:8080-9090 in dev until \d{4}-\S+Z\n$/)
      const [, rule] = yield* json("network policy list dev")
      assert.deepStrictEqual([rule.ports, rule.comment], ["8080-9090", "the migration"])
      assert.closeTo(Date.parse(rule.expiresAt), Date.now() + 7_200_000, 60_000)
      assert.match((yield* cli("network policy list dev")).stdout, /RULE .*EXPIRES +COMMENT\n.* never +-\n.*8080-9090 .* the migration\n$/)
      assert.match((yield* cli("network policy allow dev --from any --to api --port all")).stdout, /any may reach api:all in dev\n$/)
      for (const [words, expected] of [["--port 90-80", "a range like 8000-8100"], ["--port 0", "a port from 1"], ["--port 80 --for soon", "a duration"]] as const) {
        const bad = yield* cli(`network policy allow dev --from any --to api ${words}`)
        assert.strictEqual(bad.code, 2, words)
        assert.include(bad.stderr, expected)
      }
    }).pipe(Effect.scoped))

  it.live("policy explain: 0 allowed, 5 denied, with what would allow it; who-can and what-can", () =>
    Effect.gen(function*() {
      const { cli } = yield* story
      const allowed = yield* cli("network policy explain dev sandbox:web api:8080")
      assert.strictEqual(allowed.code, 0)
      assert.match(allowed.stdout, /^allowed: sandbox:web -> api:8080 in dev \(topology v\d+\)\nBecause: +a rule says so\nLast change: +sandbox:web to api:8080 was allowed by admin at .*\n\nRULE /)
      const denied = yield* cli("network policy explain dev local api:8080")
      assert.strictEqual(denied.code, 5)
      assert.match(denied.stdout, /^denied: local -> api:8080 .*\n.*\nWould allow it: +gstacks network policy allow\nLast change: +no rule for it was ever made/)
      assert.match((yield* cli("network policy who-can dev api:8080")).stdout, /^SOURCE +AGENT +RULES\nsandbox:web +- +rul_\w+\n$/)
      assert.match((yield* cli("network policy what-can dev sandbox:web")).stdout, /^SOURCE .*\nsandbox:web +- +api:8080 +api\.dev\.gstacks +backend +rul_\w+\n$/)
      assert.include((yield* cli("network policy what-can dev local")).stderr, "local may reach nothing in dev")
      assert.strictEqual((yield* cli("network policy explain dev nonsense: api:8080")).code, 2)
    }).pipe(Effect.scoped))

  it.live("policy list and revoke", () =>
    Effect.gen(function*() {
      const { cli } = yield* story
      const id = (yield* cli("network policy list dev -o name")).stdout.trim()
      const revoked = yield* cli(`network policy revoke dev ${id}`)
      assert.deepStrictEqual([revoked.code, revoked.stdout], [0, `rule ${id} revoked: sandbox:web to api:8080 in dev\n`])
      assert.include((yield* cli("network policy list dev")).stderr, "network dev has no rules, so all is refused")
    }).pipe(Effect.scoped))
})
