/** Whole agents and a real control plane to be run in one process, over real WebSockets; meshd and the sandboxes' processes are stand-ins. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { join } from "node:path"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import * as Address from "../../src/agent/addresses.ts"
import * as Agent from "../../src/agent/Agent.ts"
import type { Settings } from "../../src/agent/Config.ts"
import { Control } from "../../src/agent/Control.ts"
import { DataPlane } from "../../src/agent/dataplane/DataPlane.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import type { MeshConfig } from "../../src/control/Config.ts"
import { AgentName, AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { controlPlane, serve } from "../control/server.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { FakeHost } from "./fakeDriver.ts"
import { configIn, temporaryFolder } from "./settings.ts"

export type Api = Effect.Success<ReturnType<typeof serve>>["api"]
export const dev = NetworkName.make("dev"), api = AliasName.make("api"), port = Port.make(8080)

/** A control plane that can be stopped and started on one port and one database. */
export const controlWith = Effect.fnUntraced(function*(mesh: MeshConfig) {
  const folder = yield* temporaryFolder
  const context = yield* Layer.build(controlPlane(folder, { _tag: "Memory" }, mesh))
  const first = yield* Scope.make()
  const server = yield* serve(folder).pipe(Effect.provideContext(context), Scope.provide(first))
  yield* Effect.addFinalizer(() => Scope.close(first, Exit.void))
  const stop = Scope.close(first, Exit.void)
  const again = serve(folder, Number(new URL(server.url).port)).pipe(Effect.provideContext(context))
  return { ...server, stop, again, actors: Context.get(context, ActorSystem) }
})
export const control = controlWith({ _tag: "None" })

/** A host: its folder, its meshd, its sandboxes, and agents on it one after the other. */
export const host = Effect.fnUntraced(function*(name: string, controlUrl: string, more: Partial<Settings> = {}) {
  const folder = yield* temporaryFolder
  const meshd = yield* fakeMeshd(join(folder, "meshd.sock"))
  const machine = new FakeHost()
  const agent = Effect.gen(function*() {
    const context = yield* Layer.build(Agent.servicesWith(machine.driver).pipe(Layer.provideMerge(configIn(folder, { controlUrl, name: AgentName.make(name), ...more }))))
    yield* Effect.provideContext(Agent.start, context)
    const actors = Context.get(context, ActorSystem)
    return {
      actors, knowledge: Context.get(context, Knowledge), dataPlane: Context.get(context, DataPlane), control: Context.get(context, Control),
      online: actors.waitFor(Address.link, "session.online").pipe(Effect.timeout("5 seconds"))
    }
  })
  return { folder, meshd, machine, agent }
})

export const enrolmentToken = (api: Api, name: string) => Effect.map(api.tokens.create({ payload: { kind: "enrolment", name } }), ({ secret }) => secret)
export const run = (api: Api, name: string, agent: "host-1" | "host-2", labels: Record<string, string> = {}) =>
  api.sandboxes.run({ payload: { name: SandboxName.make(name), agent, labels, replace: false, spec: { command: ["serve"], env: {}, binds: [] } } })
export const receipt = (api: Api, version: number) => api.networks.receipt({ params: { network: "dev", version }, query: { timeoutMs: 5000 } })

/** Two hosts, `web` on one and `backend` on the other, attached to `dev` with alias `api`. */
export const worldOf = Effect.fnUntraced(function*(plane: Effect.Success<typeof control>) {
  const hosts = yield* Effect.forEach(["host-1", "host-2"], (name) => Effect.flatMap(enrolmentToken(plane.api, name), (enrolmentToken) => host(name, plane.url, { enrolmentToken })))
  const [one, two] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
  const scopes = [yield* Scope.fork(yield* Effect.scope), yield* Scope.fork(yield* Effect.scope)] as const
  const agents = yield* Effect.forEach([one, two] as const, (each, index) => Scope.provide(each.agent, scopes[index]!))
  yield* Effect.forEach(agents, (agent) => agent.online)
  const web = yield* run(plane.api, "web", "host-1"), backend = yield* run(plane.api, "backend", "host-2")
  yield* plane.api.networks.create({ payload: { name: dev } })
  yield* plane.api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "web", ports: [] } })
  const attached = yield* plane.api.networks.attach({ params: { network: "dev" }, payload: { sandbox: "backend", alias: api, ports: [port] } })
  yield* receipt(plane.api, attached.change.version)
  return { plane, api: plane.api, one, two, scopes, agents, web, backend }
})
export const world = Effect.flatMap(control, worldOf)
export const allow = (api_: Api, from: string) => api_.networks.allow({ params: { network: "dev" }, payload: { from, to: api, port } })
