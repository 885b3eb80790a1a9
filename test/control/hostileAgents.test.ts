/** Enrolled agents that send what no agent of ours would: each is refused, with a reason, and harms neither others nor its own next connection. */
import { WebSocket } from "@effect/platform-node/NodeWS"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Logger, Schedule, Schema } from "effect"
import { framesOf, longestChunk } from "../../src/control/AgentGateway/Connections.ts"
import { burst, Intake, isRefusal, largestMessage, mostUnanswered } from "../../src/control/AgentGateway/Intake.ts"
import { Refusals } from "../../src/control/Refusals.ts"
import { type AliasMetrics, counted as count } from "../../src/domain/AliasMetrics.ts"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import type { FlowAnswer } from "../../src/domain/Flow.ts"
import { type GroupAnswer, groupOf, mostGroups } from "../../src/domain/Flow/groups.ts"
import { AliasId, NetworkId } from "../../src/domain/Ids.ts"
import { flow, refusal } from "../harness/sampleFlows.ts"
import { fresh } from "./fixture.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

const logged: Array<string> = []
class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/HostileServer") {}
const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder, undefined, undefined, "Warn"))
})).pipe(
  Layer.provideMerge(Logger.layer([Logger.make(({ message }) => { logged.push(String(message)) })]))
)

const attach = { _tag: "Request", id: 0, tag: "Attach", headers: [], payload: { facts: { version: "hostile", meshdVersion: null, transport: "unknown", localSocket: "/x", startedAt: "now" }, sandboxes: [] } }
const call = (id: number, tag: string, payload: unknown = null) => ({ _tag: "Request", id, tag, payload, headers: [] })
const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.timeout(effect, "60 seconds")

/** A WebSocket with an agent's credential, and nothing of an agent. */
const raw = Effect.fnUntraced(function*(credential: string) {
  const { url } = yield* Server
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/agent`, { headers: { authorization: `Bearer ${credential}` } })),
    (socket) => Effect.sync(() => socket.terminate()))
  const received: Array<{ readonly _tag: string; readonly requestId?: number; readonly exit?: { readonly _tag: string }; readonly values?: ReadonlyArray<Record<string, unknown>> }> = []
  socket.on("message", (data) => { received.push(JSON.parse(String(data))) })
  const closed = new Promise<{ readonly code: number; readonly reason: string }>((resolve) => socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })))
  socket.on("error", () => {})
  yield* within(Effect.callback<void>((resume) => { socket.once("open", () => resume(Effect.void)) }))
  return {
    socket, received,
    send: (...messages: ReadonlyArray<unknown>) => { for (const message of messages) socket.send(JSON.stringify(message)) },
    closed: within(Effect.promise(() => closed)),
    until: <A>(look: () => A | undefined) => within(Effect.suspend(() => { const found = look(); return found === undefined ? Effect.fail("not yet") : Effect.succeed(found) }).pipe(Effect.retry(Schedule.spaced("10 millis"))))
  }
})

const counted = (agent: string, kind: string) => Effect.map(Refusals, (refusals) => refusals.all().find((refused) => refused.agent === agent && refused.kind === kind)?.count ?? 0)

/** An agent that is honest, and a task that needs it: it works before, and after. */
const bystander = Effect.fnUntraced(function*() {
  const { agent, api } = yield* Server
  const host = yield* agent(fresh("honest"))
  return Effect.gen(function*() {
    const { id, name } = yield* api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    assert.isTrue(host.state.sandboxes.has(id))
    assert.strictEqual((yield* api.sandboxes.logs({ params: { sandbox: name } })).text, "hello\n")
  })
})

/** The agent as it ought to be connects with the same credential. */
const worksAgain = Effect.fnUntraced(function*({ credential, name }: { readonly credential: string; readonly name: string }) {
  const { api } = yield* Server
  const next = yield* raw(credential)
  next.send(attach)
  yield* next.until(() => next.received.find(({ _tag, values }) => _tag === "Chunk" && values?.[0]?.["tag"] === "Inventory"))
  assert.isTrue((yield* api.agents.show({ params: { agent: name } })).online)
}, Effect.scoped)

const half = Buffer.alloc(largestMessage / 2 + 1, 32)
type Raw = Effect.Success<ReturnType<typeof raw>>
const hostile: ReadonlyArray<readonly [what: string, does: (raw: Raw) => void, code: number, reason: RegExp]> = [
  ["a huge message in one frame", ({ socket }) => socket.send(Buffer.alloc(largestMessage + 1, 32), { binary: false }), 1009, /a message of more than \d+ bytes/],
  ["a huge message in fragments", ({ socket }) => { socket.send(half, { binary: false, fin: false }); socket.send(half, { binary: false, fin: true }) }, 1009, /a message of more than \d+ bytes/],
  ["what is not JSON", ({ socket }) => socket.send("{\"_tag\":"), 1007, /not JSON/],
  ["JSON that is no message", ({ send }) => send(null), 1008, /no message/],
  ["messages in a list", ({ send }) => send([attach]), 1008, /no message/],
  ["a call that wants no answer", ({ send }) => send({ ...attach, isNotification: true }), 1008, /no message/],
  ["a binary frame", ({ socket }) => socket.send(Buffer.from(JSON.stringify(attach))), 1003, /binary/],
  ["a call before its session", ({ send }) => send(call(1, "DesiredSandboxes")), 1008, /before Attach/],
  ["a second session on one connection", ({ send }) => send(attach, { ...attach, id: 1 }), 1008, /second Attach/],
  ["a call again while it is answered", ({ send }) => send(attach, attach), 1008, /second Attach/],
  ["a flood of small messages", ({ send }) => send(attach, ...Array.from({ length: 3 * burst }, () => ({ _tag: "Ping" }))), 1008, /messages a second/],
  ["text that is no UTF-8", ({ socket }) => socket.send(Buffer.from([0x7b, 0xff, 0xfe]), { binary: false }), 1007, /WebSocket's protocol/]
]

const slow = { timeout: 90_000 }

layer(server, { timeout: "3 minutes", excludeTestServices: true })("hostile agents", (it) => {
  it.effect.each(hostile)("%s ends the connection, and nothing else", ([, does, code, reason]) => Effect.gen(function*() {
    const { enrol } = yield* Server
    const othersWork = yield* bystander()
    const identity = yield* enrol(fresh("hostile"))
    const enemy = yield* raw(identity.credential)
    does(enemy)
    assert.strictEqual((yield* enemy.closed).code, code)
    assert.match(logged.find((line) => line.includes(`"${identity.name}"`)) ?? "nothing", reason)
    assert.strictEqual(yield* counted(identity.name, "connection"), 1)
    yield* othersWork
    yield* worksAgain(identity)
  }).pipe(Effect.scoped), slow)

  it.effect("while one sends as much as it may, a revocation at another's is acknowledged", () => Effect.gen(function*() {
    const { agent, api, enrol } = yield* Server
    const host = yield* agent(fresh("honest"))
    const network = NetworkName.make(fresh("net")), alias = AliasName.make("api"), port = Port.make(8080)
    yield* api.networks.create({ payload: { name: network } })
    const { name } = yield* api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    yield* api.networks.attach({ params: { network }, payload: { sandbox: name, alias, ports: [port] } })
    const enemy = yield* raw((yield* enrol(fresh("hostile"))).credential)
    enemy.send(attach, ...Array.from({ length: burst / 2 }, () => ({ _tag: "Ping" })))
    let sent = 0
    const large = { _tag: "Ping", x: "x".repeat(1 << 20) }
    yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sync(() => { enemy.send(large, ...Array.from({ length: 100 }, () => ({ _tag: "Ping" }))); sent++ }), Effect.sleep("200 millis"))))
    for (let n = 0; n < 5; n++) {
      const before = sent
      const { value: rule } = yield* api.networks.allow({ params: { network }, payload: { from: "any", to: alias, port } })
      const { change } = yield* api.networks.revoke({ params: { network, rule: rule.id } })
      const receipt = yield* api.networks.receipt({ params: { network, version: change.version }, query: { timeoutMs: 30_000 } })
      assert.deepInclude(receipt, { applied: 1, participants: 1, pending: [] })
      yield* enemy.until(() => sent > before || undefined)
    }
    assert.strictEqual(enemy.socket.readyState, WebSocket.OPEN)
  }).pipe(Effect.scoped), slow)

  it.effect("a call that is not understood is answered with an error, counted, and harms nobody", () => Effect.gen(function*() {
    const { enrol } = yield* Server
    const othersWork = yield* bystander()
    const identity = yield* enrol(fresh("hostile"))
    const enemy = yield* raw(identity.credential)
    enemy.send(attach, call(1, "Overthrow"), call(2, "MintJoinKey", { networkId: 7 }), call(3, "ReportSandbox", { status: "x".repeat(1 << 20) }))
    for (const id of [1, 2, 3]) {
      assert.strictEqual((yield* enemy.until(() => enemy.received.find(({ _tag, requestId }) => _tag === "Exit" && requestId === id))).exit?._tag, "Failure")
    }
    assert.strictEqual(yield* counted(identity.name, "call"), 3)
    assert.strictEqual(enemy.socket.readyState, WebSocket.OPEN)
    yield* othersWork
  }).pipe(Effect.scoped), slow)

  it.effect("answers to what another agent was asked, replayed ones and garbage are refused", () => Effect.gen(function*() {
    const { agent, api, enrol } = yield* Server
    const othersWork = yield* bystander()
    const identity = yield* enrol(fresh("hostile"))
    const enemy = yield* raw(identity.credential)
    enemy.send(attach)
    const inventory = yield* enemy.until(() => enemy.received.flatMap(({ values }) => values ?? []).find((request) => request["tag"] === "Inventory"))
    const asked = yield* Deferred.make<void>()
    const victim = yield* agent(fresh("victim"), { overrides: { SandboxLogs: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never) } })
    const box = yield* api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: victim.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    const answer = (requestId: unknown, value: unknown) => ({ _tag: "Exit", requestId, exit: { _tag: "Success", value } })
    enemy.send(call(1, "Reply", { message: answer(inventory["id"], []) }))
    const stolen = yield* Effect.forkChild(Effect.exit(api.sandboxes.logs({ params: { sandbox: box.name } })))
    yield* within(Deferred.await(asked))
    const lies = [
      ...Array.from({ length: 50 }, (_, i) => answer(Number(inventory["id"]) + 1 + i, { text: "stolen", truncated: false })), // the victim's call is among these
      answer(inventory["id"], []), // again
      null, 7, "x", [], { _tag: "Exit" }, { _tag: "Request" }, { _tag: "Exit", requestId: inventory["id"], exit: 5 }
    ]
    enemy.send(...lies.map((message, i) => call(2 + i, "Reply", { message })))
    yield* enemy.until(() => enemy.received.find(({ _tag, requestId }) => _tag === "Exit" && requestId === 1 + lies.length))
    assert.isUndefined(stolen.pollUnsafe())
    assert.isAtLeast(yield* counted(identity.name, "answer"), lies.length - 1) // of the guesses one may be a call of its own
    yield* othersWork
  }).pipe(Effect.scoped), slow)

  it.effect("thousands of bad answers make one line in the log, and are all counted", () => Effect.gen(function*() {
    const { enrol } = yield* Server
    const identity = yield* enrol(fresh("hostile"))
    const enemy = yield* raw(identity.credential)
    enemy.send(attach)
    yield* enemy.until(() => enemy.received.find(({ _tag }) => _tag === "Chunk"))
    enemy.send(...Array.from({ length: 2000 }, (_, i) => call(1 + i, "Reply", { message: 7 })))
    yield* enemy.until(() => enemy.received.filter(({ _tag, requestId }) => _tag === "Exit" && requestId !== 0).length === 2000 || undefined)
    assert.strictEqual(yield* counted(identity.name, "answer"), 2000)
    assert.lengthOf(logged.filter((line) => line.includes(`"${identity.name}"`) && line.includes("answered what it was not asked")), 1)
  }).pipe(Effect.scoped), slow)

  it.effect("one that does not read its answers is ended before they fill the memory", () => Effect.gen(function*() {
    const { agent, api } = yield* Server
    const othersWork = yield* bystander()
    const identity = yield* agent(fresh("hostile"))
    yield* api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: identity.name, labels: {}, replace: false, spec: { command: ["true"], env: { BIG: "x".repeat(900_000) }, binds: [] } } })
    yield* identity.disconnect
    const enemy = yield* raw(identity.credential)
    enemy.socket.pause()
    enemy.send(attach, ...Array.from({ length: 150 }, (_, i) => call(1 + i, "DesiredSandboxes"))) // 135 MB of answers
    yield* enemy.until(() => logged.find((line) => line.includes(`"${identity.name}"`) && line.includes("too much that it does not read")))
    yield* othersWork
    yield* worksAgain(identity)
  }).pipe(Effect.scoped), slow)

  it.effect("streams, refusals and figures that are not its own are refused, counted and said once", () => Effect.gen(function*() {
    const { agent, api } = yield* Server
    let told: FlowAnswer = { flows: [], refusals: [], lost: 0 }, sums: GroupAnswer = { groups: [], refusals: [], left: { flows: 0, refusals: 0 }, lost: 0 }, figures: ReadonlyArray<AliasMetrics> = []
    const liar = yield* agent(fresh("liar"), { overrides: { Flows: () => Effect.sync(() => told), FlowGroups: () => Effect.sync(() => sums), AliasMetrics: () => Effect.sync(() => figures) } })
    const victim = yield* agent(fresh("victim"))
    const run = (host: string) => api.sandboxes.run({ payload: { name: SandboxName.make(fresh("box")), agent: host, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } })
    const own = yield* run(liar.name), others = yield* run(victim.name)
    const network = NetworkName.make(fresh("told")), params = { network }
    const { value: { id: networkId } } = yield* api.networks.create({ payload: { name: network } })
    yield* api.networks.attach({ params, payload: { sandbox: own.name, ports: [] } })
    yield* api.networks.attach({ params, payload: { sandbox: others.name, alias: AliasName.make("api"), ports: [Schema.decodeSync(Port)(8080)] } })
    const aliasId = (yield* api.networks.aliases({ params }))[0]!.id

    const to = { networkId, aliasId, targetId: others.id }
    const honest = flow({ ...to, id: "honest", sourceId: own.id, source: "sandbox:web" })
    const lies = [flow({ ...to, id: "as source", sourceId: others.id }), flow({ ...to, id: "as target", sourceId: own.id, seenBy: ["target"] }), { ...honest, id: "negative", bytesToTarget: -1 }]
    told = { flows: [honest, ...lies], refusals: [refusal({ networkId, aliasId, sourceId: others.id }), refusal({ networkId, aliasId, sourceId: own.id, by: "target" })], lost: 0 }
    for (const denied of [{}, { denied: "true" as const }]) {
      const { flows, refusals } = yield* api.networks.flows({ params, query: denied })
      assert.deepStrictEqual([flows.map(({ id, source }) => [id, source]), refusals], [denied.denied === "true" ? [] : [["honest", `sandbox:${own.name}`]], []])
    }
    assert.strictEqual(yield* counted(liar.name, "record"), 10)
    assert.lengthOf(logged.filter((line) => line.includes(`"${liar.name}"`) && line.includes("not its own")), 1)

    const foreign = { ...groupOf(honest), networkId: NetworkId.make(`net_${"9".repeat(18)}`), count: 1000 }
    const tooMany = Array.from({ length: mostGroups + 5 }, (_, n) => ({ ...groupOf(honest), port: 1 + n, count: 2 }))
    sums = { groups: [foreign, ...lies.slice(0, 2).map(groupOf), { ...groupOf(honest), count: -1 }], refusals: told.refusals, left: { flows: -7, refusals: 0 }, lost: -1 }
    const replayed = yield* api.policy.replay({ params, payload: { policy: { rules: [] } } })
    assert.deepInclude(replayed, { wouldRefuse: [], judged: { flows: 0, refusals: 0 }, unjudged: { flows: 0, refusals: 0 }, left: { flows: 0, refusals: 0 } })
    assert.strictEqual(yield* counted(liar.name, "record"), 15)
    sums = { ...sums, groups: tooMany, refusals: [] }
    const bounded = yield* api.policy.replay({ params, payload: { policy: { rules: [] } } })
    assert.deepStrictEqual([bounded.judged.flows + bounded.unjudged.flows, bounded.left.flows], [2 * mostGroups, 10])

    const figure = count(undefined, honest)!
    figures = [...Array.from({ length: 500 }, (_, n) => ({ ...figure, aliasId: AliasId.make(`als_${String(n).padStart(18, "0")}`), alias: `invented-${n}` })), { ...figure, bytesToSource: -1 }]
    const text = yield* api.metrics.all()
    assert.notInclude(text, "invented")
    assert.notInclude(text, `network="${network}"`)
    assert.include(text, `gstacks_refused_messages_total{agent="${liar.name}",kind="record"} 16\n`)
  }), slow)

  it.effect("connections of one agent are few: one more ends the oldest", () => Effect.gen(function*() {
    const { enrol } = yield* Server
    const identity = yield* enrol(fresh("hostile"))
    const [oldest, ...others] = yield* Effect.forEach(Array.from({ length: 5 }), () => raw(identity.credential))
    yield* oldest!.closed
    assert.deepStrictEqual(others.map(({ socket }) => socket.readyState), others.map(() => WebSocket.OPEN))
    yield* worksAgain(identity)
  }).pipe(Effect.scoped), slow)
})

describe("intake", () => {
  const request = (id: number, payload: unknown = null) => JSON.stringify(call(id, id === 0 ? "Attach" : "Reply", payload))

  it("calls without an answer are bounded, in number and together", () => {
    const many = new Intake(0)
    for (let id = 0; id < mostUnanswered; id++) assert.isFalse(isRefusal(many.take(request(id), 0)), String(id))
    assert.isTrue(isRefusal(many.take(request(mostUnanswered), 0)))
    many.answered(5)
    assert.isFalse(isRefusal(many.take(request(mostUnanswered), 0)))

    const large = new Intake(0)
    const pauseMs = 10_000 // enough for each to come as slowly as it has to
    const taken = [0, 1, 2, 3].map((id) => isRefusal(large.take(request(id, "x".repeat(20 << 20)), id * pauseMs)))
    assert.deepStrictEqual(taken, [false, false, false, true])
    large.answered(1)
    assert.isFalse(isRefusal(large.take(request(3, "x".repeat(20 << 20)), 4 * pauseMs)))
  })

  it("what is sent too fast is refused; a pause gives new room, a clock that is set back none", () => {
    const intake = new Intake(1_000_000)
    const ping = JSON.stringify({ _tag: "Ping" })
    for (let n = 0; n < burst; n++) assert.isFalse(isRefusal(intake.take(ping, 1_000_000)))
    assert.isTrue(isRefusal(intake.take(ping, 500_000)))
    assert.isFalse(isRefusal(intake.take(ping, 501_000)))
  })

  it("a long message counts as many, before it is parsed", () => {
    const ping = JSON.stringify({ _tag: "Ping", x: "x".repeat(30 << 20) })
    const intake = new Intake(0)
    assert.deepStrictEqual([0, 1, 2, 3].map((now) => isRefusal(intake.take(ping, now))), [false, false, true, true])
    assert.isFalse(isRefusal(intake.take(ping, 60_000)))
  })
})

it("what waited for a slow agent comes in frames that it takes, whole and in order", () => {
  const values = [1, 2, 3, 4, 5].map((n) => ({ n, text: "x".repeat(longestChunk / 4) })) as [object, ...Array<object>]
  const frames = framesOf({ _tag: "Chunk", requestId: "0", values })
  assert.isAbove(frames.length, 1)
  assert.isBelow(Math.max(...frames.map(({ length }) => length)), longestChunk)
  assert.deepStrictEqual(frames.flatMap((frame) => JSON.parse(frame).values.map(({ n }: { readonly n: number }) => n)), [1, 2, 3, 4, 5])
  assert.lengthOf(framesOf({ _tag: "Chunk", requestId: "0", values: [{ text: "x".repeat(longestChunk) }] }), 1)
})
