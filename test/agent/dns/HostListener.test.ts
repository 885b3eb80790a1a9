import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { decode, encode, streamEncode } from "dns-packet"
import { createSocket } from "node:dgram"
import { connect } from "node:net"
import { HostListener } from "../../../src/agent/dns/HostListener.ts"
import { Knowledge } from "../../../src/agent/Knowledge.ts"
import { AgentName } from "../../../src/domain/DnsLabel.ts"
import { AgentId } from "../../../src/domain/Ids.ts"
import { topologyOf } from "../../domain/topologies.ts"
import { configIn, temporaryFolder } from "../settings.ts"

const topology = topologyOf({ version: 1, members: [{ sandbox: 0, agent: 0, team: "red" }], aliases: [{ alias: 0, sandbox: 0, ports: [80] }], rules: [] })
const query = (name: string) => encode({ type: "query", id: 5, questions: [{ name, type: "A" }] })

const listening = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  const context = yield* Layer.build(HostListener.layer.pipe(Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder))))
  const knowledge = Context.get(context, Knowledge)
  const events = yield* Queue.unbounded<string>()
  const fiber = yield* Effect.forkScoped(Stream.runForEach(Context.get(context, HostListener).listen, (event) =>
    event.type === "dns.bound" ? Queue.offer(events, event.address) : Effect.void))
  const [host, port] = (yield* Queue.take(events)).split(":") as [string, string]
  return { knowledge, fiber, at: { host, port: Number(port) } }
})

const overUdp = ({ host, port }: { host: string; port: number }, name: string) => Effect.callback<Buffer>((resume) => {
  const socket = createSocket("udp4")
  socket.once("message", (answer) => resume(Effect.succeed(answer)))
  socket.send(query(name), port, host)
  return Effect.sync(() => socket.close())
}).pipe(Effect.timeout("2 seconds"))

/** All queries at once, on one connection. */
const overTcp = ({ host, port }: { host: string; port: number }, names: ReadonlyArray<string>) => Effect.callback<ReadonlyArray<number>>((resume) => {
  const socket = connect(port, host)
  let received = Buffer.alloc(0)
  socket.write(Buffer.concat(names.map((name) => streamEncode({ type: "query", id: 5, questions: [{ name, type: "A" }] }))))
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes])
    const codes: Array<number> = []
    for (let rest = received; rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0); rest = rest.subarray(2 + rest.readUInt16BE(0))) codes.push(rest[5]! & 15)
    if (codes.length === names.length) resume(Effect.succeed(codes))
  })
  return Effect.sync(() => socket.destroy())
}).pipe(Effect.timeout("2 seconds"))

describe("host DNS listener", () => {
  it.live("answers for the networks that this agent takes part in, and follows changes", () => Effect.gen(function*() {
    const { at, knowledge } = yield* listening
    assert.strictEqual((yield* overUdp(at, "app0.dev.gstacks"))[3]! & 15, 3)
    knowledge.identity = { agentId: AgentId.make("agt_000000000000000000"), name: AgentName.make("host-1") }
    knowledge.putTopology(topology)
    assert.deepInclude(decode(yield* overUdp(at, "app0.dev.gstacks")).answers![0], { data: "127.64.1.0" })
    knowledge.dropTopology(topology.networkId)
    assert.strictEqual((yield* overUdp(at, "app0.dev.gstacks"))[3]! & 15, 3)
  }))

  it.live("serves TCP, several questions on one connection, and never forwards", () => Effect.gen(function*() {
    const { at, knowledge } = yield* listening
    knowledge.identity = { agentId: AgentId.make("agt_000000000000000000"), name: AgentName.make("host-1") }
    knowledge.putTopology(topology)
    assert.deepStrictEqual(yield* overTcp(at, ["app0.dev.gstacks", "nope.dev.gstacks", "example.com"]), [0, 3, 5])
  }))

  it.live("an address that is taken fails with the way out, and its end frees it", () => Effect.gen(function*() {
    const { at, fiber } = yield* listening
    const folder = yield* temporaryFolder
    const again = Layer.build(HostListener.layer.pipe(Layer.provideMerge(Knowledge.layer), Layer.provide(configIn(folder, { dns: at }))))
    const second = Context.get(yield* again, HostListener).listen
    assert.include((yield* Effect.flip(Stream.runDrain(second))).message, "GLOBALSTACKS_AGENT_MESH_DNS_ADDR")
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual((yield* Stream.runHead(second))._tag, "Some")
  }))

  it.live("drops a client that asks and asks and never reads", () => Effect.gen(function*() {
    const { at, knowledge } = yield* listening
    knowledge.identity = { agentId: AgentId.make("agt_000000000000000000"), name: AgentName.make("host-1") }
    const one = streamEncode({ type: "query", id: 5, questions: [{ name: "a.dev.gstacks", type: "A" }] })
    const many = Buffer.concat(Array.from({ length: 2000 }, () => one))
    yield* Effect.callback<void>((resume) => {
      const socket = connect(at.port, at.host)
      socket.pause()
      socket.on("error", () => {}).on("close", () => resume(Effect.void))
      const ask = (): void => { if (!socket.destroyed) socket.write(many, () => setImmediate(ask)) }
      ask()
      return Effect.sync(() => socket.destroy())
    }).pipe(Effect.timeout("8 seconds"))
    assert.strictEqual((yield* overUdp(at, "x.gstacks"))[3]! & 15, 3)
  }))
})
