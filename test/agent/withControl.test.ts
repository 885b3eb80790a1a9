/** Whole agents and the real control plane in one process, over real WebSockets; meshd and the sandboxes' processes are stand-ins. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import * as Address from "../../src/agent/addresses.ts"
import { AliasName } from "../../src/domain/DnsLabel.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { enrolled } from "./settings.ts"
import { allow, api, control, dev, enrolmentToken, host, port, receipt, run, world } from "./world.ts"

vi.setConfig({ testTimeout: 30_000 }) // a control plane with its database starts in each

describe("agents with a control plane", () => {
  it.live("enrol once, attach, and keep the credential to themselves", () => Effect.gen(function*() {
    const plane = yield* control
    const token = yield* enrolmentToken(plane.api, "host-1")
    const one = yield* host("host-1", plane.url, { enrolmentToken: token })
    const first = yield* Scope.make()
    yield* (yield* Scope.provide(one.agent, first)).online
    assert.deepStrictEqual((yield* plane.api.agents.list()).map((agent) => `${agent.name} ${agent.online}`), ["host-1 true"])
    const credential = JSON.parse(readFileSync(join(one.folder, "state/credential.json"), "utf8")).state
    assert.strictEqual(credential.name, "host-1")
    yield* Scope.close(first, Exit.void)
    yield* (yield* one.agent).online // the token is used: the credential is what counts
  }))

  it.live("a rule is in force in meshd when its receipt says so, and gone when it is revoked", () => Effect.gen(function*() {
    const { api, one, two } = yield* world
    const allowed = yield* allow(api, "sandbox:web")
    const granted = yield* receipt(api, allowed.change.version)
    assert.deepStrictEqual(granted.pending, [])
    // no mesh in this control plane: the far node is unknown, so there is no way and no permit yet, but the zone is there
    assert.property(one.meshd.plan.zones[0]!.names, "api.dev.gstacks")
    assert.strictEqual(one.meshd.plan.networks[0]!.topologyVersion, allowed.change.version)
    assert.strictEqual(two.meshd.plan.networks[0]!.topologyVersion, allowed.change.version)
    const revoked = yield* api.networks.revoke({ params: { network: "dev", rule: allowed.value.id } })
    yield* receipt(api, revoked.change.version)
    assert.strictEqual(one.meshd.plan.networks[0]!.topologyVersion, revoked.change.version)
  }))

  it.live("a rule between sandboxes of one host makes a permit, and shows as a listening alias", () => Effect.gen(function*() {
    const { api, two, backend, agents } = yield* world
    const other = yield* run(api, "other", "host-2")
    yield* api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "other", ports: [] } })
    const allowed = yield* allow(api, "sandbox:other")
    yield* receipt(api, allowed.change.version)
    assert.deepStrictEqual(two.meshd.plan.outbound.map((permit) => [permit.sandbox, permit.port, permit.target, permit.rules]), [
      [other.id, 8080, { kind: "sandbox", sandbox: backend.id }, [allowed.value.id]]
    ])
    const { networkId, aliasId } = { networkId: two.meshd.plan.networks[0]!.id, aliasId: two.meshd.plan.outbound[0]!.alias }
    const address = Address.alias(networkId, aliasId, 8080)
    yield* agents[1]!.actors.waitFor(address, "listening").pipe(Effect.timeout("3 seconds"))
    yield* api.networks.removeAlias({ params: { network: "dev", alias: "api" }, query: {} })
    yield* Effect.flip(agents[1]!.actors.waitFor(address, "never")).pipe(Effect.timeout("3 seconds")) // closed, and removed
  }))

  it.live("a meshd that is away keeps the receipt open, and closes it when it is back", () => Effect.gen(function*() {
    const { api, two } = yield* world
    yield* Effect.promise(() => two.meshd.crash())
    const allowed = yield* allow(api, "any")
    const others = api.networks.receipt({ params: { network: "dev", version: allowed.change.version }, query: { timeoutMs: 100 } })
    const waiting = yield* Effect.repeat(others, { until: ({ applied }) => applied === 1 }).pipe(Effect.timeout("4 seconds"))
    assert.deepStrictEqual(waiting.pending.map((pending) => `${pending.agent}`), ["host-2"])
    yield* fakeMeshd(two.meshd.path)
    assert.deepStrictEqual((yield* receipt(api, allowed.change.version)).pending, [])
  }))

  it.live("an agent that restarts while the control plane is away decides from its cache and adopts its sandboxes", () => Effect.gen(function*() {
    const { api, plane, two, scopes } = yield* world
    yield* run(api, "other", "host-2")
    yield* api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "other", ports: [] } })
    const allowed = yield* allow(api, "sandbox:other")
    yield* receipt(api, allowed.change.version)
    const before = two.meshd.plan
    yield* plane.stop
    yield* Scope.close(scopes[1], Exit.void)
    const again = yield* two.agent
    yield* again.dataPlane.enforce.pipe(Effect.timeout("3 seconds"))
    const last = two.meshd.callsOf("apply").at(-1)
    assert.isNull(last.base)
    assert.deepStrictEqual(last.plan.outbound, before.outbound)
    assert.deepStrictEqual([...last.plan.sandboxes].sort((a, b) => a.id < b.id ? -1 : 1), [...before.sandboxes].sort((a, b) => a.id < b.id ? -1 : 1))

    const { api: back } = yield* plane.again
    yield* again.online
    const revoked = yield* back.networks.revoke({ params: { network: "dev", rule: allowed.value.id } })
    assert.deepStrictEqual((yield* receipt(back, revoked.change.version)).pending, [])
    assert.deepStrictEqual(two.meshd.plan.outbound, [])
  }))

  it.live("out of touch for too long, permits are frozen; in touch again, thawed", () => Effect.gen(function*() {
    const plane = yield* control
    const token = yield* enrolmentToken(plane.api, "host-1")
    const one = yield* host("host-1", plane.url, { enrolmentToken: token, topologyMaxAgeMs: 300 })
    const agent = yield* one.agent
    yield* agent.online
    yield* Effect.forEach(["a", "b"], (name) => run(plane.api, name, "host-1"))
    yield* plane.api.networks.create({ payload: { name: dev } })
    yield* plane.api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "a", ports: [] } })
    yield* plane.api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "b", alias: api, ports: [port] } })
    const { change } = yield* allow(plane.api, "sandbox:a")
    yield* receipt(plane.api, change.version)
    const topology = Address.topology(change.networkId)
    assert.deepStrictEqual(one.meshd.plan.outbound.map((permit) => permit.frozen), [undefined])
    yield* plane.stop
    yield* agent.actors.waitFor(topology, "stale").pipe(Effect.timeout("5 seconds"))
    yield* agent.dataPlane.enforce
    assert.deepStrictEqual(one.meshd.plan.outbound.map((permit) => permit.frozen), [true])
    yield* plane.again
    yield* agent.actors.waitFor(topology, "applied").pipe(Effect.timeout("5 seconds"))
    assert.deepStrictEqual(one.meshd.plan.outbound.map((permit) => permit.frozen), [undefined])
  }))

  it.live("a credential that the control plane does not know is refused at the door; a control plane that is not there is not", () => Effect.gen(function*() {
    const plane = yield* control
    const one = yield* host("host-1", plane.url)
    enrolled(one.folder)
    const refused = yield* (yield* one.agent).actors.waitFor(Address.link, "refused").pipe(Effect.timeout("5 seconds"))
    assert.include(String(refused.context["lastError"]), "401")
    const two = yield* host("host-2", "http://127.0.0.1:9")
    enrolled(two.folder)
    const away = yield* (yield* two.agent).actors.waitFor(Address.link, "backoff").pipe(Effect.timeout("5 seconds"))
    assert.include(String(away.context["lastError"]), "ECONNREFUSED")
  }))

  it.live("an agent that was removed is refused and says so", () => Effect.gen(function*() {
    const plane = yield* control
    const token = yield* enrolmentToken(plane.api, "host-1")
    const one = yield* host("host-1", plane.url, { enrolmentToken: token })
    const agent = yield* one.agent
    yield* agent.online
    yield* plane.api.agents.remove({ params: { agent: "host-1" } })
    const refused = yield* agent.actors.waitFor(Address.link, "refused").pipe(Effect.timeout("12 seconds"))
    assert.match(String(refused.context["lastError"]), /401|credential/)
  }))

  it.live("a sandbox that ends is reported; one that is removed is stopped, detached and forgotten", () => Effect.gen(function*() {
    const { api, two, backend, web, one } = yield* world
    two.machine.exit(backend.id, 3)
    const ended = yield* api.sandboxes.show({ params: { sandbox: "backend" } }).pipe(
      Effect.repeat({ until: (sandbox) => sandbox.state === "stopped" }), Effect.timeout("3 seconds"))
    assert.deepInclude(ended, { state: "stopped", exitCode: 3 })
    const { changes } = yield* api.sandboxes.remove({ params: { sandbox: "web" } })
    yield* receipt(api, changes[0]!.version)
    yield* Effect.void.pipe(Effect.delay(1), Effect.repeat({ until: () => one.meshd.plan.sandboxes.every((sandbox) => sandbox.id !== web.id) }), Effect.timeout("3 seconds"))
    assert.deepStrictEqual(one.machine.endedServed, [], "its streams are broken off first")
  }))

  it.live("the checks of `network test` come back from both agents with a reason each", () => Effect.gen(function*() {
    const { api } = yield* world
    const run = yield* api.networks.test({ params: { network: "dev" }, query: { waitMs: 20_000 }, payload: { source: "sandbox:web", alias: AliasName.make("api"), port } })
    assert.strictEqual(run.verdict, "denied")
    for (const agent of ["host-1", "host-2"]) {
      assert.sameMembers(run.checks.filter((check) => check.agent === agent).map((check) => check.check), ["mesh", "topology", "dns", "route", "policy"])
    }
    for (const check of run.checks) assert.isAbove(check.reason.length, 0)
    assert.deepInclude(run.checks.find((check) => check.check === "topology" && check.agent === "host-1"), { outcome: "pass" })
  }))
})
