/**
 * A host: its disk, its meshd, its sandboxes' processes, and lives of its agent one after the other. The agent is the real one, from
 * the link to the plan; only what touches the machine (sandboxes' jails, sockets of DNS and of the local API) is left out.
 */
import { Context, Effect, Exit, Layer, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Socket } from "effect/socket"
import { Duplex } from "node:stream"
import { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { Sight } from "../../src/actors/sight/Sight.ts"
import * as Agent from "../../src/agent/Agent.ts"
import { AliasListeners } from "../../src/agent/AliasListeners.ts"
import { Config, type Settings } from "../../src/agent/Config.ts"
import { Control } from "../../src/agent/Control.ts"
import { Credential } from "../../src/agent/Credential.ts"
import { DataPlane } from "../../src/agent/dataplane/DataPlane.ts"
import { Dial } from "../../src/agent/dataplane/MeshdClient.ts"
import { Diagnostics } from "../../src/agent/Diagnostics.ts"
import { HostSigns } from "../../src/agent/diagnostics/HostSigns.ts"
import { Disk } from "../../src/agent/Disk.ts"
import { HostListener } from "../../src/agent/dns/HostListener.ts"
import { Flows } from "../../src/agent/Flows.ts"
import { Freshness } from "../../src/agent/Freshness.ts"
import { Host as HostFacts } from "../../src/agent/Host.ts"
import { Knowledge } from "../../src/agent/Knowledge.ts"
import { Link } from "../../src/agent/Link.ts"
import { Membership } from "../../src/agent/mesh/Membership.ts"
import { MeshFiles } from "../../src/agent/mesh/MeshFiles.ts"
import { Networks } from "../../src/agent/Networks.ts"
import { Sandboxes } from "../../src/agent/Sandboxes.ts"
import type { SandboxDriver } from "../../src/agent/sandboxes/SandboxDriver.ts"
import { Topologies } from "../../src/agent/Topologies.ts"
import { AgentName } from "../../src/domain/DnsLabel.ts"
import type { Plan } from "../../src/protocol/meshd/Messages.ts"
import { altered } from "./altered.ts"
import type { Coordinator } from "./Coordinator.ts"
import { SimulatedDisk } from "./Disk.ts"
import { SimulatedMeshd } from "./Meshd.ts"
import { End, type Network } from "./Network.ts"
import { Process, type Surroundings } from "./Process.ts"
import { HostSandboxes } from "./Sandboxes.ts"
import type { Trace } from "./trace.ts"
import { WallClock } from "./WallClock.ts"

/** What a mutant may put in a service's place. */
export const agentParts = {
  topologies: Topologies.layer, dataPlane: DataPlane.layer, aliasListeners: AliasListeners.layer, knowledge: Knowledge.layer, networks: Networks.layer, sandboxes: Sandboxes.layer
}
export type AgentParts = typeof agentParts

const dns = Layer.succeed(HostListener, HostListener.of({ listen: Stream.concat(Stream.succeed({ type: "dns.bound", address: "127.0.0.1:1053" } as const), Stream.never) }))

/** Records change nothing, and nothing flows here. */
const flows = Layer.succeed(Flows, Flows.of({
  follow: Effect.never, query: () => Effect.succeed({ flows: [], refusals: [], lost: 0 }), metrics: () => Effect.succeed([]),
  groups: () => Effect.succeed({ groups: [], refusals: [], left: { flows: 0, refusals: 0 }, lost: 0 })
}))

/** Programs listen where they ought to, and the coordinator can be asked: what is wrong with that is not told from the machine that this runs on. */
const signs = altered(HostSigns, HostSigns.layer, () => ({ silenceOf: () => Effect.undefined, resolver: () => undefined, listening: () => [] }))

const layerOf = (parts: AgentParts, driver: Layer.Layer<SandboxDriver, never, Knowledge | DataPlane>) => Layer.mergeAll(Link.layer, dns, parts.aliasListeners).pipe(
  Layer.provideMerge(Layer.mergeAll(Diagnostics.layerWith(signs), flows, parts.networks, HostFacts.layer)),
  Layer.provideMerge(Layer.mergeAll(Membership.layer, parts.sandboxes)),
  Layer.provideMerge(Layer.mergeAll(MeshFiles.layer, driver)),
  Layer.provideMerge(Layer.mergeAll(parts.dataPlane, Sight.layer)),
  Layer.provideMerge(Layer.mergeAll(parts.topologies, Freshness.layer, Credential.layer, Control.layer, ActorSystem.layerWith({ journalBytes: 64 * 1024 }))),
  Layer.provideMerge(parts.knowledge)
)
export type AgentServices = Layer.Success<ReturnType<typeof layerOf>>

export interface HostWorld extends Surroundings {
  readonly network: Network
  readonly coordinator: Coordinator
  readonly agentParts: AgentParts
  readonly trace: Trace
}

const restartMs = 1000
const stateDir = "/state"

export class Host {
  readonly name: string
  readonly disk: SimulatedDisk
  readonly meshd: SimulatedMeshd
  readonly sandboxes = new HostSandboxes()
  isPowered = true
  readonly clock: WallClock
  process: Process | undefined
  services: Context.Context<AgentServices> | undefined
  readonly #world: HostWorld

  constructor(name: string, world: HostWorld) {
    this.name = name
    this.#world = world
    this.clock = new WallClock(world.time)
    this.disk = new SimulatedDisk(world.time, world.draw, {
      notWritten: (path) => world.trace.topologyFile(name, "notWritten", path), kept: (path) => world.trace.topologyFile(name, "kept", path)
    })
    this.meshd = new SimulatedMeshd(world.time, world.coordinator, () => this.clock.now, { inForce: (plan) => this.#inForce(plan), isServable: (pid) => this.sandboxes.isAlive(pid) })
  }

  get actors(): ActorSystem["Service"] | undefined { return this.services && Context.get(this.services, ActorSystem) }

  enrolled(agentId: string, credential: string): void {
    this.disk.put(`${stateDir}/credential.json`, JSON.stringify({ agentId, name: this.name, credential }))
  }

  startAgent(): void {
    if (!this.isPowered || this.process?.isAlive) return
    const { agentParts, journal, network, time, trace } = this.#world
    const parts = { ...agentParts, networks: trace.listening(this.name, agentParts.networks) }
    trace.note(this.name, { event: "started" })
    const agent = new Process(this.name, this.#world, () => this.clock.aheadMs)
    this.process = agent
    this.services = undefined
    agent.onEnd(() => network.drop(this.name))
    agent.onEnd(() => this.meshd.disconnect())
    const machine = Layer.mergeAll(
      Layer.succeed(Config, Config.of(this.#settings())),
      Layer.succeed(Socket.WebSocketConstructor, (_url, options) => agent.isAlive ? network.dial(this.name, headersOf(options)) : new End("nobody"))
    )
    const program = Effect.gen({ self: this }, function*() {
      const services = yield* Layer.build(layerOf(parts, this.sandboxes.driver(() => agent.isAlive)).pipe(Layer.provide(machine)))
      const tree = yield* Agent.start.pipe(Effect.provideContext(services))
      this.services = services
      journal.note(this.name, "agent is up")
      return yield* tree.failed
    }).pipe(
      Effect.provideService(Disk, this.disk.seenBy(() => agent.isAlive)),
      Effect.provideService(Dial, () => agent.isAlive ? this.meshd.dial() : new Duplex().destroy(new Error("the process has ended"))),
      Effect.provideService(FetchHttpClient.Fetch, () => Promise.reject(new Error("nobody enrols here")))
    )
    agent.run(program, (exit) => {
      journal.note(this.name, `agent ended: ${Exit.isFailure(exit) ? String(exit).split("\n")[0] : "by itself"}`)
      agent.kill()
      time.after(restartMs, () => this.startAgent())
    })
  }

  killAgent(): void { this.process?.kill() }

  crashMeshd(): void {
    this.#world.trace.note(this.name, { event: "meshdGone" })
    this.meshd.crash()
  }
  startMeshd(): void { if (this.isPowered) this.meshd.start() }

  losePower(): void {
    this.isPowered = false
    this.#world.network.vanish(this.name)
    this.killAgent()
    this.crashMeshd()
    this.sandboxes.losePower()
    this.disk.losePower()
  }
  boot(): void {
    this.isPowered = true
    this.startMeshd()
    this.startAgent()
  }

  #inForce(plan: Plan): void {
    this.#world.trace.inForce(this.name, plan)
    const networks = plan.networks.map(({ id, topologyVersion }) => `${id.slice(-4)}@${topologyVersion}`).join(" ")
    this.#world.journal.note(this.name, `in force: ${networks || "nothing"}, ${plan.outbound.length} out, ${plan.inbound.length} in`)
  }

  #settings(): Settings {
    return {
      controlUrl: "http://control", name: AgentName.make(this.name), enrolmentToken: undefined, stateDir, runtimeDir: "/run", agentSocket: "/run/agent.sock",
      meshdSocket: "/run/meshd.sock", shim: "/none", dns: { host: "127.0.0.1", port: 1053 }, proxyBind: undefined, udpPorts: { first: 41650, last: 41749 },
      topologyMaxAgeMs: 86_400_000, hide: [], inspectorFiles: "/none"
    }
  }
}

const headersOf = (options: Socket.WebSocketConstructorOptions | undefined): Readonly<Record<string, string>> =>
  typeof options === "object" && !Array.isArray(options) ? options.headers ?? {} : {}
