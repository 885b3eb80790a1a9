/** meshd without a data plane: the protocol over a real Unix socket, the plan in memory, and levers for what can go wrong. */
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { emptyPlan } from "../../src/agent/plan/plan.ts"
import { patchPlan } from "../../src/agent/plan/planDiff.ts"
import { Lines } from "../../src/agent/dataplane/lines.ts"
import type { Closed, Flow, NodeStatus, Plan, Refusals } from "../../src/protocol/meshd/Messages.ts"

export interface Call { readonly method: string; readonly params: any }
class Refusal extends Error {
  readonly code: string
  constructor(code: string, message: string) { super(message); this.code = code }
}

export class FakeMeshd {
  readonly path: string
  readonly calls: Array<Call> = []
  plan: Plan = emptyPlan
  generation = 0
  instance = randomUUID()
  /** Sandboxes that cannot be served, with the reason. */
  readonly broken = new Map<string, string>()
  /** Networks for which it has no state of its own: a join without key is refused. */
  readonly needsKey = new Set<string>()
  /** Answers to `apply` wait for this. */
  gate: Promise<void> = Promise.resolve()
  /** When set, `apply` fails with it. */
  refuse: { code: string; message: string } | undefined
  /** What each `apply` says that it closed. */
  closes: (before: Plan, after: Plan) => ReadonlyArray<Closed> = () => []
  /** What `probe` answers. */
  probe: unknown = { ok: true, steps: [{ name: "dial", ok: true, micros: 10 }, { name: "connect", ok: true, micros: 10 }] }
  /** It hangs: nothing is answered. */
  mute = false
  readonly listeners = new Map<string, object>()
  readonly nodes = new Map<string, NodeStatus>()
  /** Open ones. */
  flows: Array<Flow> = []
  /** Answers to come. */
  readonly refusals: Array<Refusals> = []
  readonly #server = createServer((socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()
  readonly #subscribers = new Set<Socket>()

  constructor(path: string) { this.path = path }

  start(): Promise<void> {
    rmSync(this.path, { force: true })
    return new Promise((resolve, reject) => { this.#server.once("error", reject); this.#server.listen(this.path, resolve) })
  }
  /** As a kill -9: connections and socket end; what it held is gone. */
  async crash(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
    this.plan = emptyPlan
    this.generation = 0
    this.flows = []
    this.nodes.clear()
    this.instance = randomUUID()
  }
  disconnect(): void { for (const socket of this.#sockets) socket.destroy() }
  emit(event: string, data: unknown): void { for (const socket of this.#subscribers) socket.write(`${JSON.stringify({ event, data })}\n`) }
  setNode(status: NodeStatus): void { this.nodes.set(status.network, status); this.emit("node", status) }
  callsOf(method: string): ReadonlyArray<any> { return this.calls.filter((call) => call.method === method).map((call) => call.params) }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on("close", () => { this.#sockets.delete(socket); this.#subscribers.delete(socket) })
    socket.on("error", () => {})
    const lines = new Lines()
    socket.on("data", (chunk) => {
      for (const line of lines.push(chunk)) {
        const { id, method, params } = JSON.parse(line)
        this.calls.push({ method, params })
        if (method === "subscribe") this.#subscribers.add(socket)
        const reply = (answer: object) => { socket.write(`${JSON.stringify({ id, ...answer })}\n`) }
        this.#answer(method, params).then((result) => reply({ result }), (error) =>
          reply({ error: { code: error.code ?? "failed", message: error.message } }))
      }
    })
  }

  async #answer(method: string, params: any): Promise<unknown> {
    if (this.mute) return new Promise(() => undefined)
    switch (method) {
      case "hello": return { protocol: 1, version: "fake", pid: process.pid, instance: this.instance, generation: this.generation, capabilities: { tun: true, netns: true } }
      case "subscribe": return {}
      case "apply": return this.#apply(params)
      case "join": return this.#join(params)
      case "leave": this.nodes.delete(params.network); return {}
      case "status": return {
        instance: this.instance, generation: this.generation, networks: [...this.nodes.values()], sandboxes: [], flows: 0, counters: {},
        memory: { rssBytes: 1, heapBytes: 1, goroutines: 1 }
      }
      case "flows": return { flows: this.flows.slice(0, params.limit) }
      case "flowCounts": return { permits: this.flows.map((flow) => ({ ...flow, count: 1, firstOpenedAt: flow.openedAt })), left: 0 }
      case "refusals": return this.refusals.shift() ?? { outbound: [], inbound: [] }
      case "probe": return this.probe
      case "forwards": return { forwards: [...this.listeners.values()] }
      case "listen": return this.#listen(params)
      case "unlisten": this.listeners.delete(params.id); return {}
      case "ping": return { micros: 42 }
      case "connect": return { micros: 42 }
      default: throw new Refusal("unknown_method", method)
    }
  }

  async #apply({ generation, base, plan }: any): Promise<unknown> {
    await this.gate
    if (this.refuse !== undefined) throw new Refusal(this.refuse.code, this.refuse.message)
    if (base !== null && base !== this.generation) throw new Refusal("generation_mismatch", `generation ${this.generation} is loaded`)
    const before = this.plan
    this.plan = base === null ? plan : patchPlan(before, plan)
    this.generation = generation
    const closed = this.closes(before, this.plan)
    return {
      generation, micros: 5, closedFlows: closed.length, closed,
      sandboxes: this.plan.sandboxes.map(({ id }) => ({ id, ok: !this.broken.has(id), ...(this.broken.has(id) ? { error: this.broken.get(id) } : {}) }))
    }
  }

  #listen(forward: any): object {
    const state = { ...forward, bound: forward.listen, open: 0, waiting: 0, total: 0, bytesToTarget: 0, bytesToSource: 0, refused: 0 }
    this.listeners.set(forward.id, state)
    return state
  }

  #join({ network, authKey }: any): NodeStatus {
    if (this.needsKey.has(network) && authKey === undefined) throw new Refusal("needs_key", "no state for this network")
    this.needsKey.delete(network)
    const node: NodeStatus = { network, state: "ready", nodeId: `n-${network}`, address: "100.64.0.9", transport: "tun", udpPort: 41650, peers: [] }
    this.setNode(node)
    return node
  }
}

/** A running one, gone with the scope. */
export const fakeMeshd = (path: string): Effect.Effect<FakeMeshd, never, Scope.Scope> => Effect.acquireRelease(
  Effect.promise(async () => { const meshd = new FakeMeshd(path); await meshd.start(); return meshd }),
  (meshd) => Effect.promise(() => meshd.crash())
)
