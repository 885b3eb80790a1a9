/** Two control planes on one PostgreSQL: what one commits reaches the agent that is connected to the other, and the receipt comes back; what only the other can see, it says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { actorState } from "../harness/fakeSight.ts"
import { postgres } from "../harness/postgres.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

const port = Schema.decodeSync(Port)(8080)
const api = AliasName.make("api")

describe("replicas", () => {
  it.live("share networks, news and acknowledgements", () => Effect.gen(function*() {
    const { database } = yield* postgres
    const url = yield* database
    const replica = Effect.gen(function*() {
      const folder = yield* temporaryFolder
      return yield* Effect.provideContext(serve(folder), yield* Layer.build(controlPlane(folder, { _tag: "Url", url })))
    })
    const first = yield* replica
    const second = yield* replica
    const agent = yield* second.agent("host-1")
    const network = NetworkName.make("dev")
    yield* first.api.networks.create({ payload: { name: network } })
    yield* second.api.sandboxes.run({ payload: { name: SandboxName.make("box"), labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    yield* first.api.networks.attach({ params: { network }, payload: { sandbox: "box", alias: api, ports: [port] } })
    const { change } = yield* first.api.networks.allow({ params: { network }, payload: { from: "any", to: api, port } })
    const receipt = yield* first.api.networks.receipt({ params: { network, version: change.version }, query: { timeoutMs: 5000 } })
    assert.deepStrictEqual([receipt.applied, receipt.participants], [1, 1])
    assert.strictEqual([...agent.state.topologies.values()][0]!.version, change.version)

    agent.state.sight.actors = [actorState("agent/link")]
    const rowAt = ({ api }: typeof first) => Effect.map(api.debug.actors({ query: { scope: "cluster" } }), (rows) => rows.find((row) => row.agent === "host-1"))
    assert.deepStrictEqual(yield* rowAt(second), { agent: "host-1", problem: null, actors: [actorState("agent/link")] })
    assert.deepInclude(yield* rowAt(first), { problem: "Agent \"host-1\" is not connected to this replica of the control plane; it may be to another.", actors: [] })
  }).pipe(Effect.scoped), 60_000)
})
