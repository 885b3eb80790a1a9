/**
 * A host's meshd without a data plane: its protocol over a stream that takes time, the plan that is in force, its nodes. When it
 * ends, all but its nodes' keys is gone. Every plan that comes into force is told, so that no permit goes unseen. Permits end by the
 * host's clock, whether that has run or jumped past their end.
 */
import { Duplex } from "node:stream"
import { emptyPlan } from "../../src/agent/plan/plan.ts"
import { patchPlan } from "../../src/agent/plan/planDiff.ts"
import type { NodeStatus, Plan, PlanDelta } from "../../src/protocol/meshd/Messages.ts"
import type { Coordinator, Registered } from "./Coordinator.ts"
import type { Time } from "./Time.ts"

interface Apply { readonly generation: number; readonly base: number | null; readonly plan: Plan & PlanDelta }
interface Probe { readonly sandbox: string; readonly alias: string; readonly port: number }
interface Join { readonly network: NodeStatus["network"]; readonly hostname: string; readonly authKey?: string; readonly udpPort?: number }

class Refusal extends Error {
  readonly code: string
  constructor(code: string, message: string) { super(message); this.code = code }
}

class Line extends Duplex {
  onText: (text: string) => void = () => {}
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.onText(chunk.toString("utf8"))
    done()
  }
}

export interface MeshdEvents {
  readonly inForce: (plan: Plan) => void
  /** Whether a sandbox's process is there to be served. */
  readonly isServable: (pid: number) => boolean
}

const lineMs = 1
const joinMs = 200

export class SimulatedMeshd {
  isUp = true
  /** How long an apply takes. */
  applyMs = 3
  #plan: Plan = emptyPlan
  readonly nodes = new Map<string, NodeStatus>()
  readonly #keys = new Map<string, Registered>()
  #generation = 0
  #instance = 1
  readonly #lines = new Set<Line>()
  /** By which the plan in force came. */
  #connection = 0
  #connections = 0
  readonly #time: Time
  readonly #coordinator: Coordinator
  readonly #clock: () => number
  readonly #events: MeshdEvents

  constructor(time: Time, coordinator: Coordinator, clock: () => number, events: MeshdEvents) {
    this.#time = time
    this.#coordinator = coordinator
    this.#clock = clock
    this.#events = events
  }

  /** What it acts by at this moment. */
  get plan(): Plan { return inForceAt(this.#plan, this.#clock()) }
  get connections(): number { return this.#lines.size }

  readonly dial = (): Duplex => {
    const line = new Line()
    line.on("error", () => {})
    line.on("close", () => this.#lines.delete(line))
    this.#time.after(lineMs, () => {
      if (line.destroyed) return
      if (!this.isUp) return void line.destroy(new Error("connect ENOENT"))
      this.#lines.add(line)
      const number = ++this.#connections
      line.onText = (text) => { for (const message of text.split("\n")) if (message !== "") this.#receive(line, number, message) }
      line.emit("connect")
    })
    return line
  }

  disconnect(): void { for (const line of this.#lines) line.destroy() }

  crash(): void {
    this.isUp = false
    this.#instance++
    this.#generation = 0
    this.nodes.clear()
    this.disconnect()
    this.#force(emptyPlan)
  }
  start(): void { this.isUp = true }

  #receive(line: Line, connection: number, message: string): void {
    const { id, method, params } = JSON.parse(message) as { readonly id: number; readonly method: string; readonly params: unknown }
    const instance = this.#instance
    const answer = () => {
      if (instance !== this.#instance) return
      let text: string
      try {
        text = JSON.stringify({ id, result: this.#do(method, params, connection) })
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        text = JSON.stringify({ id, error: { code: error.code, message: error.message } })
      }
      this.#time.after(lineMs, () => { if (!line.destroyed) line.push(`${text}\n`) })
    }
    this.#time.after(lineMs + (method === "apply" ? this.applyMs : method === "join" ? joinMs : 0), answer)
  }

  #do(method: string, params: unknown, connection: number): unknown {
    switch (method) {
      case "hello": return { protocol: 1, version: "simulated", pid: 1, instance: `i${this.#instance}`, generation: this.#generation, capabilities: { tun: true, netns: true } }
      case "subscribe": return {}
      case "apply": return this.#apply(params as Apply, connection)
      case "join": return this.#join(params as Join)
      case "leave": return this.#leave((params as Join).network)
      case "connect": return { micros: 5 }
      case "probe": return this.#probe(params as Probe)
      case "status": return {
        instance: `i${this.#instance}`, generation: this.#generation, networks: [...this.nodes.values()], sandboxes: [], flows: 0, counters: {},
        memory: { rssBytes: 1, heapBytes: 1, goroutines: 1 }
      }
      default: throw new Refusal("unknown_method", method)
    }
  }

  #apply({ generation, base, plan }: Apply, connection: number): unknown {
    if (connection < this.#connection) throw new Refusal("superseded", "a newer connection has brought a plan meanwhile")
    if (base !== null && base !== this.#generation) throw new Refusal("generation_mismatch", `generation ${this.#generation} is loaded`)
    this.#connection = connection
    this.#generation = generation
    this.#force(base === null ? plan : patchPlan(this.plan, plan))
    return { generation, micros: 5, closedFlows: 0, closed: [], sandboxes: this.plan.sandboxes.map(({ id, pid }) => this.#events.isServable(pid) ? { id, ok: true } : { id, ok: false, error: "its process has ended" }) }
  }

  #force(plan: Plan): void {
    this.#plan = inForceAt(plan, this.#clock())
    this.#events.inForce(this.#plan)
  }

  #join({ network, hostname, authKey, udpPort }: Join): NodeStatus {
    const running = this.nodes.get(network)
    if (running !== undefined) return running
    if (this.#coordinator.isAway) throw new Refusal("join_failed", "the coordinator does not answer")
    const kept = this.#keys.get(network)
    const registered = kept !== undefined && this.#coordinator.knows(kept.nodeId) ? kept : authKey === undefined ? undefined : this.#coordinator.register(authKey, hostname)
    if (registered === undefined) throw new Refusal("needs_key", "there is no usable key")
    this.#keys.set(network, registered)
    const node: NodeStatus = { network, state: "ready", ...registered, transport: "tun", udpPort: udpPort ?? 0, peers: [] }
    this.nodes.set(network, node)
    return node
  }

  /** As far as the permit: there is no data plane. */
  #probe({ sandbox, alias, port }: Probe): unknown {
    const ok = this.plan.outbound.some((permit) => permit.sandbox === sandbox && permit.alias === alias && permit.port === port)
    return { ok, steps: [{ name: "permit", ok, micros: 1, ...(ok ? {} : { error: "there is none" }) }] }
  }

  #leave(network: string): unknown {
    this.nodes.delete(network)
    this.#keys.delete(network)
    return {}
  }
}

const inForceAt = (plan: Plan, now: number): Plan => {
  const lasts = ({ expiresAt }: { readonly expiresAt?: number }): boolean => expiresAt === undefined || now < expiresAt
  return { ...plan, outbound: plan.outbound.filter(lasts), inbound: plan.inbound.filter(lasts) }
}
