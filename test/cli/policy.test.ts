/** Policy files: what is wrong in one, with line and column; export, diff, apply; and `--dry-run` of the commands that change who may reach whom. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parsePolicy } from "../../src/cli/PolicyFile/parse.ts"
import { ruleId } from "../harness/sampleFlows.ts"
import { temporaryFolder } from "./gstacks.ts"
import { makeWorld } from "./world.ts"

const wrongIn = (text: string): ReadonlyArray<string> => {
  const parsed = parsePolicy(text)
  return Result.isSuccess(parsed) ? [] : parsed.failure.map(({ line, column, message }) => `${line}:${column}: ${message}`)
}

describe("a policy file's text", () => {
  it("scalars are the text that stands there, in YAML as in JSON", () => {
    const yaml = parsePolicy("# ours\nnetwork: dev\nrules:\n  - { from: any, to: api, ports: 8080, comment: no }\n  - from: local:ann\n    to: api\n    ports: 8000-8100\n    expiresAt: 2030-01-31T18:00:00Z\n")
    assert.isTrue(Result.isSuccess(yaml))
    if (Result.isFailure(yaml)) return
    assert.deepStrictEqual(JSON.parse(JSON.stringify(yaml.success.policy)), {
      network: "dev", rules: [{ from: "any", to: "api", ports: "8080", comment: "no" }, { from: "local:ann", to: "api", ports: "8000-8100", expiresAt: "2030-01-31T18:00:00Z" }]
    })
    assert.deepStrictEqual(yaml.success.placeOf(["rules", 1, "ports"]), { line: 7, column: 12 })
    const json = parsePolicy(JSON.stringify(yaml.success.policy))
    assert.deepStrictEqual(Result.isSuccess(json) ? json.success.policy : undefined, yaml.success.policy)
    assert.deepStrictEqual(wrongIn("rules: []"), [])
  })

  it("everything that is wrong is told at once, where it stands", () => {
    const wrong = wrongIn("rules:\n  - from: what:ever\n    to: Api\n    ports: 90-80\n    expires: 2030-01-31T18:00:00Z\n  - to: api\n    ports: all\n    from: any\n    expiresAt: tomorrow\n    comment:\n  - from: any\n    to: api\nother: 1\n")
    assert.deepStrictEqual(wrong.map((line) => line.split(":").slice(0, 3).join(":")), ["2:11: from", "3:9: to", "4:12: ports", "5:14: expires", "9:16: expiresAt", "10:13: comment", "11:5: ports", "13:8: other"])
    assert.include(wrong.join("\n"), "expires: is no key that is known here")
    assert.include(wrong.join("\n"), "ports: is missing")
  })

  it.each([
    ["an empty file", "", "1:1: Expected object"],
    ["a list", "- from: any\n", "1:1: Expected object"],
    ["no rules", "network: dev\n", "1:1: rules: is missing"],
    ["a key twice", "rules:\n  - from: any\n    from: local\n    to: api\n    ports: 1\n", "3:5: Map keys must be unique"],
    ["a quote that does not end", "rules:\n  - from: 'any\n", "3:1: Missing closing 'quote"],
    ["two documents", "rules: []\n---\nrules: []\n", "2:1: Source contains multiple documents"],
    ["an anchor", "rules: &a\n  - *a\n", "2:5: anchors and aliases"],
    ["a tag", "rules: !js/function []\n", "1:8: Unresolved tag"],
    ["tabs", "rules:\n\t- from: any\n", "2:1: Tabs are not allowed as indentation"],
    ["text", "just text", "1:1: Expected object"],
    ["a hundred levels", `rules: ${"[".repeat(100)}${"]".repeat(100)}`, "1:9: 0: Expected object"]
  ])("%s", (_, text, expected) => {
    assert.include(wrongIn(text).join("\n"), expected)
  })

  it("more rules than a network may get by a file", () => {
    assert.match(wrongIn(`rules:\n${"  - { from: any, to: api, ports: 1 }\n".repeat(5001)}`)[0]!, /^2:3: rules: at most 5000 rules/)
  })
})

const story = Effect.gen(function*() {
  const world = yield* makeWorld
  yield* world.cli("network create dev")
  yield* world.cli("network attach dev web")
  yield* world.cli("network attach dev backend --alias api --port 8080 --port 9090")
  yield* world.cli(["network", "policy", "allow", "dev", "--from", "sandbox:web", "--to", "api", "--port", "8080", "--comment", "the shop: \"orders\""])
  const folder = yield* temporaryFolder
  const file = (text: string) => {
    const path = join(folder, "policy.yaml")
    writeFileSync(path, text)
    return path
  }
  return { ...world, file, folder }
})

describe("policy files", () => {
  it.live("replay tells what would change, what was looked at, and what is missing", () => Effect.gen(function*() {
    const { cli, file, fake, json } = yield* story
    const path = file("rules:\n  - { from: any, to: api, ports: 9090 }\n")
    assert.deepStrictEqual([(yield* cli(["network", "policy", "replay", "dev", "-f", path, "--exit-code"])).code, fake.calls.at(-1)], [0, "policy.replay undefined"])
    const group = { sourceId: "sbx_1", source: "sandbox:web", alias: "api", lastAt: 1000 }
    fake.replay = {
      since: 500, oldestAt: 900, left: { flows: 12, refusals: 30 }, judged: { flows: 7, refusals: 3 }, unjudged: { flows: 2, refusals: 0 }, agents: [{ agent: "host-2", problem: "Agent \"host-2\" is not connected.", lost: 0 }],
      wouldRefuse: [{ ...group, port: 8080, count: 7, rules: [ruleId] }], wouldAllow: [{ ...group, port: 9090, count: 3, rules: [{ from: "any", to: "api" as never, ports: "9090" }] }]
    }
    const { code, stdout, stderr } = yield* cli(["network", "policy", "replay", "dev", "-f", path, "--since", "2h", "--exit-code"])
    assert.deepStrictEqual([code, fake.calls.at(-1)], [1, "policy.replay 7200000"])
    assert.strictEqual(stdout, [
      "WOULD BE  SOURCE       TARGET    COUNT  LAST                      RULE",
      "refused   sandbox:web  api:8080  7      1970-01-01T00:00:01.000Z  rul_000000000000000001",
      "allowed   sandbox:web  api:9090  3      1970-01-01T00:00:01.000Z  any to api:9090", ""
    ].join("\n"))
    for (const said of ["judged 7 streams and 3 refused attempts since 1970-01-01T00:00:00.500Z, the oldest of 1970-01-01T00:00:00.900Z", "not judged: 2 streams and 0 attempts", "not looked at: up to 12 streams and 30 attempts", "flows of host-2 are missing"]) assert.include(stderr, said)
    assert.strictEqual((yield* json(`network policy replay dev -f ${path}`)).wouldRefuse[0].count, 7)
  }).pipe(Effect.scoped))

  it.live("export is a file that apply takes, and applied again changes nothing", () => Effect.gen(function*() {
    const { cli, file, json } = yield* story
    const exported = yield* cli("network policy export dev")
    assert.match(exported.stdout, /^# Rules of network dev at topology v4\. Apply: .*\nnetwork: dev\nrules:\n  - from: "sandbox:web"\n    to: api\n    ports: "8080"\n    comment: /)
    const again = yield* cli(["network", "policy", "apply", "dev", "-f", file(exported.stdout)])
    assert.deepStrictEqual([again.code, again.stdout], [0, "policy of dev applied: 0 rules added, 0 removed, 0 changed, 1 unchanged\n"])
    const asJson = yield* json("network policy export dev")
    assert.deepStrictEqual(Object.keys(asJson), ["network", "rules"])
    assert.strictEqual((yield* cli("network policy apply dev -f -", { stdin: JSON.stringify(asJson) })).code, 0)
  }).pipe(Effect.scoped))

  it.live("diff shows rules and pairs, changes nothing, and tells scripts with --exit-code", () => Effect.gen(function*() {
    const { cli, file, fake } = yield* story
    const path = file("rules:\n  - from: local\n    to: api\n    ports: 9090\n    comment: developers\n")
    const shown = yield* cli(["network", "policy", "diff", "dev", "-f", path])
    assert.deepStrictEqual([shown.code, shown.stdout.split("\n")], [0, [
      "dev at topology v4: rules 1 added, 1 removed, 0 changed, 0 unchanged; reachability 1 gained, 1 lost; 0 open connections would be reset",
      "+ rule local to api:9090  # developers", "- rule sandbox:web to api:8080  # the shop: \"orders\"", "+ local -> api:9090 in backend", "- sandbox:web -> api:8080 in backend", ""
    ]])
    assert.strictEqual((yield* cli(["network", "policy", "diff", "dev", "--exit-code", "-f", path])).code, 1)
    const dry = yield* cli(["network", "policy", "apply", "dev", "--dry-run", "-f", path])
    assert.deepStrictEqual([dry.code, dry.stdout, dry.stderr], [0, shown.stdout, "dry run: nothing was changed\n"])
    assert.notInclude(fake.calls, "policy.apply")
    const { stdout } = yield* cli("network policy export dev")
    assert.deepStrictEqual((yield* cli(["network", "policy", "diff", "dev", "--exit-code", "-o", "name", "-f", file(stdout)])).stdout, "")
  }).pipe(Effect.scoped))

  it.live("what the control plane finds wrong stands beside its line; so does bad YAML; and a version that has passed is said", () => Effect.gen(function*() {
    const { cli, file, folder } = yield* story
    const path = file("rules:\n  - from: any\n    to: apii\n    ports: 8080\n")
    for (const command of ["apply", "diff"]) {
      const refused = yield* cli(["network", "policy", command, "dev", "-f", path])
      assert.deepStrictEqual([refused.code, refused.stderr], [2, `error: ${path}:3:9: Network "dev" has no alias "apii". Did you mean "api"?\nnext: gstacks network show dev\n`])
    }
    const bad = yield* cli(["network", "policy", "apply", "dev", "-f", file("rules:\n  - from: nobody:x\n    ports: 1\n")])
    assert.match(bad.stderr, /^error: .*policy\.yaml:2:5: to: is missing; .*\nerror: .*policy\.yaml:2:11: from: a source: .*\nnext: see the form of a file: gstacks network policy export dev\n$/)
    const moved = yield* cli(["network", "policy", "apply", "dev", "--if-version", "v3", "-f", file("rules: []")])
    assert.deepStrictEqual([moved.code, moved.stderr], [1, "error: Network \"dev\" is not at \"3\".\nnext: gstacks network policy diff\n"])
    assert.strictEqual((yield* cli(["network", "policy", "apply", "dev", "--if-version", "4", "-f", file("rules: []")])).code, 0)
    for (const [missing, why] of [[join(folder, "none.yaml"), "it does not exist"], [folder, "it is a folder"], ["/dev/zero", "it is no ordinary file"]] as const) {
      const ended = yield* cli(["network", "policy", "apply", "dev", "-f", missing])
      assert.deepStrictEqual([ended.code, ended.stderr.split("\n")[0]], [1, `error: ${missing} cannot be read: ${why}${missing === "/dev/zero" ? "; use - for standard input" : ""}`])
    }
    assert.include((yield* cli("network policy apply dev -f -", { stdin: `#${"x".repeat(1 << 20)}` })).stderr, "it has more than 1048576 bytes")
  }).pipe(Effect.scoped))

  it.live("--dry-run of each command that changes who may reach whom asks only", () => Effect.gen(function*() {
    const { cli, fake, json } = yield* story
    const rule = fake.networks.get("dev")!.rules[0]!.id
    for (const [line, asked] of [
      ["policy allow dev --from any --to api --port all --for 2h", "Allow"], [`policy revoke dev ${rule}`, "Revoke"], ["detach dev web", "Detach"],
      ["alias remove dev api --port 9090", "RemoveAlias"], ["alias move dev api web", "MoveAlias"]
    ] as const) {
      const before = fake.networks.get("dev")!.network.version
      const ended = yield* cli(`network ${line} --dry-run`)
      assert.deepStrictEqual([ended.code, ended.stderr, fake.calls.at(-1)], [0, "dry run: nothing was changed\n", `policy.diff ${asked}`])
      assert.strictEqual(fake.networks.get("dev")!.network.version, before)
    }
    const group = { sourceId: "sbx_1", alias: "api", port: 8080, lastAt: 1000, rules: [ruleId] }
    fake.cut = {
      cut: [{ ...group, source: "sandbox:web", count: 3 }, { ...group, source: "local:ann", count: 1 }], left: 0,
      agents: [{ agent: "host-1", problem: null }, { agent: "host-2", problem: "Agent \"host-2\" is not connected." }]
    }
    const revoked = yield* cli(`network policy revoke dev ${rule} --dry-run`)
    assert.match(revoked.stdout, /reachability 0 gained, 1 lost; 4 open connections would be reset\n/)
    assert.include(revoked.stdout, "- sandbox:web -> api:8080 in backend\n- 3 open connections of sandbox:web to api:8080\n- 1 open connection of local:ann to api:8080\n")
    assert.strictEqual(revoked.stderr, "the flows of host-2 are missing: Agent \"host-2\" is not connected.\ndry run: nothing was changed\n")
    fake.cut = { ...fake.cut, left: 9 }
    const some = yield* cli(`network policy revoke dev ${rule} --dry-run`)
    assert.include(some.stdout, "; at least 4 open connections would be reset\n")
    assert.include(some.stderr, "not looked at: up to 9 open connections")
    assert.deepStrictEqual((yield* json(`network policy revoke dev ${rule} --dry-run`)).flows, fake.cut)
  }).pipe(Effect.scoped))
})
