/** Agents over real WebSockets: who they are, their sessions, and what they may not do. */
import { assert, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SandboxName } from "../../src/domain/DnsLabel.ts"
import { unknownToAgent } from "../../src/domain/Sandbox.ts"
import { SandboxStartFailed } from "../../src/protocol/agent/AgentRpcs.ts"
import { fakeAgent } from "../harness/fakeAgent.ts"
import { actorState } from "../harness/fakeSight.ts"
import { fresh, scene, Server, server } from "./agentsScene.ts"

layer(server, { timeout: "2 minutes", excludeTestServices: true })("agents", (it) => {
  it.effect("the upgrade is refused without a credential that is known", () => Effect.gen(function*() {
    const { url } = yield* Server
    const refused = yield* Effect.exit(fakeAgent({ url, credential: "gsa_wrong" }))
    assert.isTrue(Exit.isFailure(refused))
    const answer = yield* Effect.promise(() => fetch(`${url}/api/v1/agent`))
    assert.strictEqual(answer.status, 401)
    assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
  }))

  it.effect("an enrolment token enrols one agent, once", () => Effect.gen(function*() {
    const { api: http } = yield* Server
    const { secret, token } = yield* http.tokens.create({ payload: { kind: "enrolment", name: "one" } })
    const name = fresh("host") as never
    yield* http.enrolment.enrol({ payload: { token: secret, name } })
    const again = yield* http.enrolment.enrol({ payload: { token: secret, name: fresh("host") as never } }).pipe(Effect.flip)
    assert.strictEqual(again._tag, "EnrolmentRefused")
    assert.include(again.message, "has used it")
    assert.strictEqual((yield* http.tokens.list()).find((listed) => listed.id === token.id)!.usedBy, name)
  }))

  it.effect("the newest session of an agent wins; the older one is closed", () => Effect.gen(function*() {
    const { agent, url, api: http } = yield* Server
    const older = yield* agent(fresh("host"))
    const newer = yield* fakeAgent({ url, credential: older.credential })
    assert.isTrue(Exit.isSuccess(yield* older.ended.pipe(Effect.timeout("5 seconds"))))
    const { attach, receipt } = yield* scene([older])
    assert.strictEqual((yield* receipt((yield* attach(0)).change.version)).applied, 1)
    assert.strictEqual(newer.state.topologies.size, 1)
    assert.strictEqual((yield* http.agents.show({ params: { agent: older.name } })).online, true)
  }))

  it.effect("sandboxes: run, logs, stop, remove; a report about another agent's sandbox is refused", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const a = yield* agent(fresh("host")), b = yield* agent(fresh("host"))
    const { sandboxes } = yield* scene([a])
    const [box] = sandboxes
    assert.strictEqual(box!.state, "running")
    const params = { sandbox: box!.name }
    assert.strictEqual((yield* http.sandboxes.logs({ params })).text, "hello\n")
    const exited = { id: box!.id, state: "stopped" as const, exitCode: 3, reason: null }
    assert.strictEqual((yield* b.control.ReportSandbox({ status: exited }).pipe(Effect.flip))._tag, "NotYours")
    assert.strictEqual((yield* http.sandboxes.show({ params })).state, "running")
    yield* a.control.ReportSandbox({ status: exited })
    assert.deepStrictEqual(yield* http.sandboxes.show({ params }).pipe(Effect.map(({ state, exitCode }) => [state, exitCode])), ["stopped", 3])
    yield* a.control.ReportSandbox({ status: unknownToAgent(box!.id) }) // its folder is lost
    assert.deepStrictEqual(yield* http.sandboxes.show({ params }).pipe(Effect.map(({ exitCode, reason }) => [exitCode, reason])), [3, null])
    assert.deepStrictEqual(yield* a.control.DesiredSandboxes().pipe(Effect.map((all) => all.map(({ id, run }) => [id, run]))), [[box!.id, false]])
    yield* http.sandboxes.stop({ params })
    assert.strictEqual((yield* http.agents.remove({ params: { agent: a.name } }).pipe(Effect.flip))._tag, "AgentInUse")
    yield* http.sandboxes.remove({ params })
    assert.strictEqual(a.state.sandboxes.size, 0)
    assert.deepStrictEqual(yield* a.control.DesiredSandboxes(), [])
    yield* http.agents.remove({ params: { agent: a.name } })
    assert.isTrue(Exit.isSuccess(yield* a.ended.pipe(Effect.timeout("5 seconds"))))
  }))

  it.effect("a sandbox that cannot be started, or whose agent is away, leaves nothing behind", () => Effect.gen(function*() {
    const { agent, enrol, api: http } = yield* Server
    const broken = yield* agent(fresh("host"), { overrides: { StartSandbox: () => Effect.fail(new SandboxStartFailed({ reason: "no bwrap", hint: "install it" })) } })
    const away = yield* enrol(fresh("host"))
    const name = SandboxName.make(fresh("box"))
    const run = (on: string, replace = false) => http.sandboxes.run({ payload: { name, agent: on, labels: {}, replace, spec: { command: ["true"], env: {}, binds: [] } } }).pipe(Effect.flip)
    assert.strictEqual((yield* run(broken.name))._tag, "SandboxFailed")
    assert.strictEqual((yield* run(away.name))._tag, "AgentUnavailable")
    assert.strictEqual((yield* http.sandboxes.show({ params: { sandbox: name } }).pipe(Effect.flip))._tag, "SandboxNotFound")
    const { sandboxes } = yield* scene([yield* agent(fresh("host"))])
    const taken = yield* http.sandboxes.run({ payload: { name: sandboxes[0]!.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } } }).pipe(Effect.flip)
    assert.strictEqual(taken._tag, "SandboxExists")
    const replaced = yield* http.sandboxes.run({ payload: { name: sandboxes[0]!.name, agent: sandboxes[0]!.agent, labels: {}, replace: true, spec: { command: ["true"], env: {}, binds: [] } } })
    assert.notStrictEqual(replaced.id, sandboxes[0]!.id)
  }))

  it.effect("a tree of very many actors in trouble is shown, and does not cost the agent its connection", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    const { name, state } = yield* agent(fresh("host"))
    state.sight.actors = Array.from({ length: 12 }, (_, i) => actorState(`agent/${i}`, { lastError: "e".repeat(1 << 20) })) // as large as a tree of 16,000
    const look = Effect.map(http.debug.actors({ query: { agent: name } }), ([row]) => row!.actors.length)
    assert.deepStrictEqual([yield* look, yield* look], [12, 12])
  }))

  it.effect("a peer that no longer answers is noticed within ten seconds, and it is told until when it goes on granting", () => Effect.gen(function*() {
    const { agent, api: http } = yield* Server
    let asked = 0
    const deaf = yield* agent(fresh("host"), { overrides: { Inventory: () => asked++ === 0 ? Effect.succeed([]) : Effect.never } })
    const show = http.agents.show({ params: { agent: deaf.name } })
    assert.deepInclude((yield* show).contact, { inTouch: true, freezesAt: null, limitMs: 60_000 })
    assert.isTrue(Exit.isSuccess(yield* deaf.ended.pipe(Effect.timeout("10 seconds"))))
    const { contact, lastSeenAt } = yield* Effect.repeat(show, { until: ({ online }) => !online })
    assert.deepInclude(contact, { inTouch: false, frozen: false, lastAt: lastSeenAt, freezesAt: new Date(Date.parse(lastSeenAt!) + 60_000).toISOString() })
  }), 12_000)
})
