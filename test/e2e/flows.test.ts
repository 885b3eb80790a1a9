/** Records of real streams, and counts of real refusals: what every agent wrote down, asked through the control plane. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { NetworkMetrics } from "../../src/domain/AliasMetrics.ts"
import type { Flow, FlowList } from "../../src/domain/Flow.ts"
import { RuleId } from "../../src/domain/Ids.ts"
import type { PolicyReplay } from "../../src/domain/PolicyReplay.ts"
import type { Peer } from "../harness/Peer.ts"
import { eventually, Fixture } from "./fixture.ts"

const api = "api.dev.gstacks"
const KiB = 1 << 10

describe("flows", () => {
  let fixture: Fixture
  let web: Peer
  let neighbour: Peer
  let rule: RuleId

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    web = await fixture.sandbox("web", "host-1")
    neighbour = await fixture.sandbox("neighbour", "host-2")
    const backend = await fixture.sandbox("backend", "host-2")
    for (const [port, behaviour] of [[8080, "echo"], [8081, "sink"], [8083, "reset"]] as const) await backend.listen(port, behaviour)
    await fixture.network("dev")
    for (const name of ["web", "neighbour"]) await fixture.attach("dev", name)
    await fixture.attach("dev", "backend", "api", [8080, 8081, 8083, 8085, 9090])
    for (const port of [8081, 8083, 8085]) await fixture.allow("dev", "any", "api", port)
    rule = RuleId.make((await fixture.allow("dev", "any", "api", 8080)).id)
    for (const peer of [web, neighbour]) await fixture.reachable(peer, api, 8080)
  }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  const ask = async (query = ""): Promise<FlowList> => (await fixture.api("GET", `/networks/dev/flows?${query}`)).body
  /** The one flow of this source and port that is as wanted: an end is told a moment later. */
  const found = async (source: string, port: number, wanted: (flow: Flow) => boolean): Promise<Flow> => {
    let flow: Flow | undefined
    await eventually(`a flow of ${source} to port ${port}`, async () => (flow = (await ask(`source=${source}&port=${port}`)).flows.findLast(wanted)) !== undefined)
    return flow!
  }

  it("who, how much, how fast, by which rule, over which path, and how it ended", async () => {
    for (const [name, peer, path] of [["web", web, /direct|relay/], ["neighbour", neighbour, /local/]] as const) {
      await peer.upload(api, 8081, 300 * KiB)
      const flow = await found(name, 8081, ({ bytesToTarget, end, seenBy }) => bytesToTarget === 300 * KiB && end === "eof" && seenBy.length === 2)
      assert.deepInclude(flow, { source: `sandbox:${name}`, alias: "api", target: "backend", verdict: "allowed", by: null, error: null })
      assert.match(flow.path, path)
      assert.lengthOf(flow.rules, 1)
      assert.isAbove(flow.bytesToSource, 0, "the digest")
      assert.isTrue(flow.connectMicros! > 0 && flow.firstByteMicros! >= flow.connectMicros! && flow.micros >= flow.firstByteMicros!, JSON.stringify(flow))

      await peer.open(`${name} reset`, api, 8083)
      await peer.event(`${name} reset`, (e) => e.event === "data")
      await peer.write(`${name} reset`, "reset")
      assert.deepInclude(await found(name, 8083, ({ end }) => end === "reset"), { by: "target" })

      await peer.probe(api, 8085)
      assert.include((await found(name, 8085, ({ end }) => end === "unreachable")).error, "refused")

      await peer.open(`${name} kept`, api, 8080)
      await peer.ping(`${name} kept`, "hello\n")
      await found(name, 8080, ({ bytesToTarget, closedAt, end, seenBy }) => closedAt === null && end === null && seenBy.length === 2 && bytesToTarget === "hello\n".length)
    }
    await fixture.revoke("dev", rule)
    for (const name of ["web", "neighbour"]) assert.deepInclude(await found(name, 8080, ({ end }) => end === "revoked"), { rules: [rule], bytesToTarget: "hello\n".length })
  }, 60_000)

  it("what was refused is counted to the last attempt, and named by the CLI", async () => {
    for (let n = 0; n < 3; n++) assert.strictEqual((await web.probe(api, 9090)).result, "ECONNREFUSED")
    await eventually("three refusals", async () => (await ask("denied=true&port=9090")).refusals[0]?.count === 3)
    const { code, stdout } = await fixture.cluster.gstacks("network", "flows", "dev", "--denied", "--source", "web", "--to", "api:9090")
    assert.strictEqual(code, 0)
    assert.match(stdout, /sandbox:web +api:9090 +3 /)
    const { wouldAllow } = (await fixture.api("POST", "/networks/dev/policy/replay", { policy: { rules: [{ from: "any", to: "api", ports: "9090" }] } })).body as PolicyReplay
    assert.deepStrictEqual(wouldAllow.map(({ source, port, count }) => [source, port, count]), [["sandbox:web", 9090, 3]])
  }, 60_000)

  it("a stream over its alias's or its source's limit is reset and told, on one host and across; clearing lets the next one in", async () => {
    await fixture.change("PUT", "/networks/dev/limits", { alias: "api", maxStreams: 1 })
    await web.open("one", api, 8081)
    await found("web", 8081, ({ closedAt, seenBy }) => closedAt === null && seenBy.length === 2)
    for (const [name, peer] of [["web", web], ["neighbour", neighbour]] as const) {
      await peer.probe(api, 8083)
      assert.include((await found(name, 8083, ({ end }) => end === "limit")).error, "over the limit of alias api: 1 open streams")
    }
    await fixture.change("PUT", "/networks/dev/limits", { sandbox: "neighbour", maxPerSecond: 1 })
    await fixture.change("DELETE", "/networks/dev/limits?alias=api")
    await neighbour.upload(api, 8081, KiB)
    await neighbour.upload(api, 8081, KiB)
    assert.include((await found("neighbour", 8081, ({ end }) => end === "limit")).error, "over the limit of source neighbour: 1 new streams a second")
    const { aliases } = (await fixture.api("GET", "/networks/dev/metrics")).body as NetworkMetrics
    assert.strictEqual(aliases.find(({ alias }) => alias === "api")!.streams.limit, 3)
    await web.reset("one")
  }, 60_000)

  it("a limit counts the streams that were open before it, on one host and across", async () => {
    for (const id of ["before 1", "before 2"]) await web.open(id, api, 8081)
    await eventually("both are open", async () => (await ask("source=web&port=8081")).flows.filter(({ closedAt, seenBy }) => closedAt === null && seenBy.length === 2).length === 2)
    await fixture.change("PUT", "/networks/dev/limits", { alias: "api", maxStreams: 2 })
    for (const [name, peer] of [["web", web], ["neighbour", neighbour]] as const) {
      await peer.probe(api, 8083)
      await found(name, 8083, ({ end, error }) => end === "limit" && error === "over the limit of alias api: 2 open streams")
    }
    await fixture.change("DELETE", "/networks/dev/limits?alias=api")
    for (const id of ["before 1", "before 2"]) await web.reset(id)
  }, 60_000)

  it("records outlive a kill of their agent, and its open streams are told on", async () => {
    await fixture.allow("dev", "any", "api", 8080)
    await web.open("lasting", api, 8080)
    await web.ping("lasting", "hello\n")
    const before = (await ask("source=web")).flows.filter(({ closedAt }) => closedAt !== null).map(({ id }) => id)
    fixture.cluster.kill("agent", "host-1")
    await eventually("it is back with its records", async () => {
      const { agents, flows } = await ask("source=web")
      return agents.every(({ problem }) => problem === null) && before.every((id) => flows.some((flow) => flow.id === id && flow.seenBy.includes("source")))
    }, 30_000)
    await web.ping("lasting", "hello again\n")
    await found("web", 8080, ({ bytesToTarget, closedAt, seenBy }) => closedAt === null && seenBy.length === 2 && bytesToTarget === "hello\nhello again\n".length)
  }, 60_000)
})
