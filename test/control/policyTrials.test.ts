/** Policies and changes tried on what real sessions' agents answer; nothing of it is kept. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import type { Flow, Refusal } from "../../src/domain/Flow.ts"
import { type GroupQuery, groupOf } from "../../src/domain/Flow/groups.ts"
import { flow, refusal } from "../harness/sampleFlows.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/Server") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))
const port = Schema.decodeSync(Port)
const api = AliasName.make("api")

layer(server, { timeout: "2 minutes", excludeTestServices: true })("policy replay and diff", (it) => {
  it.effect("ask the agents, name those that are away, and change nothing", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    let answer: { readonly flows: ReadonlyArray<Flow>; readonly refusals: ReadonlyArray<Refusal> } = { flows: [], refusals: [] }
    const asked: Array<GroupQuery> = []
    const one = yield* agent("host-1", { overrides: { FlowGroups: (query) => Effect.sync(() => {
      asked.push(query)
      return { groups: answer.flows.map(groupOf), refusals: answer.refusals, left: { flows: 5, refusals: 6 }, lost: 2 }
    }) } })
    const two = yield* agent("host-2", { overrides: { FlowGroups: () => Effect.die("broken") } })
    const run = (name: string, host: string) => http.sandboxes.run({ payload: { name: SandboxName.make(name), agent: host, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    const web = yield* run("web", one.name), backend = yield* run("backend", two.name)
    const network = NetworkName.make("dev"), params = { network }
    const { value: { id: networkId } } = yield* http.networks.create({ payload: { name: network } })
    yield* http.networks.attach({ params, payload: { sandbox: web.name, ports: [] } })
    yield* http.networks.attach({ params, payload: { sandbox: backend.name, alias: api, ports: [port(8080), port(9090)] } })
    const { value: rule } = yield* http.networks.allow({ params, payload: { from: "sandbox:web", to: api, port: port(8080) } })
    const [{ id: aliasId } = { id: undefined }] = yield* http.networks.aliases({ params })
    const pair = { networkId, sourceId: web.id, aliasId: aliasId! }
    answer = { flows: [flow({ ...pair, rules: [rule.id] })], refusals: [refusal(pair)] }

    const before = yield* http.policy.show({ params })
    const found = yield* http.policy.replay({ params, payload: { policy: { rules: [{ from: "any", to: api, ports: "9090" }] }, withinMs: 60_000 } })
    assert.deepStrictEqual(found.wouldRefuse.map(({ source, alias, port, rules }) => [source, alias, port, rules]), [["sandbox:web", "api", 8080, [rule.id]]])
    assert.deepStrictEqual(found.wouldAllow.map(({ port, count, rules }) => [port, count, rules]), [[9090, 3, [{ from: "any", to: api, ports: "9090" }]]])
    assert.deepStrictEqual(found.agents.map(({ agent, lost, problem }) => [agent, lost, problem === null]), [["host-1", 2, true], ["host-2", 0, false]])
    assert.deepStrictEqual(asked, [{ networkId, withinMs: 60_000, open: false }])
    assert.deepStrictEqual([found.left, found.judged], [{ flows: 5, refusals: 6 }, { flows: 1, refusals: 3 }])
    assert.deepStrictEqual(yield* http.policy.show({ params }), before)

    answer = { flows: [flow({ ...pair, id: "open", closedAt: null, end: null, rules: [rule.id], target: backend.name, targetId: backend.id })], refusals: [] }
    const revoke = yield* http.policy.diff({ params, payload: { _tag: "Revoke", rule: rule.id } })
    assert.deepStrictEqual(revoke.flows.cut.map(({ source, alias, port, count }) => [source, alias, port, count]), [["sandbox:web", "api", 8080, 1]])
    assert.deepStrictEqual([revoke.flows.left, asked.at(-1)], [5, { networkId, withinMs: 0, open: true }])
    assert.deepStrictEqual(revoke.flows.agents.map(({ agent, problem }) => [agent, problem === null]), [["host-1", true], ["host-2", false]])
    const asks = asked.length
    const allow = yield* http.policy.diff({ params, payload: { _tag: "Allow", from: "any", to: api, port: port(9090) } })
    assert.deepStrictEqual([allow.flows, asked.length], [{ cut: [], left: 0, agents: [] }, asks], "where nobody loses anything nobody is asked")
    assert.deepStrictEqual(yield* http.policy.show({ params }), before)

    const wrong = yield* Effect.flip(http.policy.replay({ params, payload: { policy: { rules: [{ from: "any", to: AliasName.make("apii"), ports: "1" }] } } }))
    assert.strictEqual(wrong._tag, "InvalidPolicy")
  }))
})
