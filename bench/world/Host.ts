/**
 * A host with its meshd, and the desired state that an agent would have given it. Every change is one `apply` of the
 * whole plan, which returns when it is in force.
 */
import type { Inbound, MeshdStatus, NodeStatus, Outbound, Plan, Zone } from "../../src/protocol/meshd/Messages.ts"
import { MeshdClient } from "./MeshdClient.ts"
import { options } from "./options.ts"
import { folder, residentBytes, start, startTimeOf, until, type Running } from "./processes.ts"

type Wire<S extends { readonly Encoded: unknown }> = S["Encoded"]

export interface Desired {
  readonly networks: ReadonlyArray<string>
  /** Namespace names; the first process started there stands for the sandbox. */
  readonly sandboxes: ReadonlyArray<Sandbox>
  readonly outbound?: ReadonlyArray<Wire<typeof Outbound>>
  readonly inbound?: ReadonlyArray<Wire<typeof Inbound>>
  readonly zones?: ReadonlyArray<Wire<typeof Zone>>
}

export interface Sandbox {
  readonly id: string
  readonly pid: number
  readonly zone: string
}

/** An empty namespace becomes a sandbox by a process that lives in it. */
export const hold = (netns: string): Running => start(`hold-${netns}`, netns, ["sleep", "infinity"])

export class Host implements Running {
  readonly name: string
  readonly #netns: string
  #process: Running | undefined
  #client: MeshdClient | undefined
  #generation = 0

  constructor(name: string, netns: string) {
    this.name = name
    this.#netns = netns
  }

  async start(): Promise<void> {
    const socket = `${folder}/${this.name}/run/meshd.sock`
    const running = start(`meshd-${this.name}`, this.#netns, [
      `${options().binaries}/meshd`, "-socket", socket, "-state", `${folder}/${this.name}/state`, "-log-level", "warn"
    ])
    this.#process = running
    this.#generation = 0
    this.#client = await until("meshd listens", running.name, 10_000, () => MeshdClient.connect(socket).catch(() => undefined))
    await this.client.request("hello", { protocol: 1 })
    await this.client.request("subscribe") // as an agent does: telling it of each flow is part of the work
  }

  get client(): MeshdClient {
    if (this.#client === undefined) throw new Error(`meshd of ${this.name} is not running`)
    return this.#client
  }

  get pid(): number {
    return this.#process?.pid ?? Number.NaN
  }

  residentMegabytes(): number {
    return residentBytes(this.pid) / 1e6
  }

  async kill(): Promise<void> {
    await this.#process?.kill("SIGKILL")
    this.#client?.close()
  }

  /** Without a key it joins with what an earlier join stored. */
  join(network: string, controlUrl: string, udpPort: number, authKey?: string): Promise<Wire<typeof NodeStatus>> {
    return this.client.request("join", {
      network, hostname: this.name, controlUrl, udpPort, transport: "auto", ...(authKey === undefined ? {} : { authKey })
    })
  }

  status(): Promise<Wire<typeof MeshdStatus>> {
    return this.client.request("status")
  }

  /** Waits until the other node is a peer that can be dialled. */
  ready(network: string, nodeId: string): Promise<true> {
    return until(`${nodeId} is a ready peer`, `meshd-${this.name}`, 20_000, async () =>
      (await this.status()).networks.some((n) => n.network === network && n.peers.some((p) => p.nodeId === nodeId && p.ready)) ? true : undefined)
  }

  /** "direct" as soon as it is, else what it is after 10 s. */
  async path(network: string, nodeId: string): Promise<string> {
    let path = "none"
    const look = async (): Promise<string | undefined> => {
      path = (await this.status()).networks.find((n) => n.network === network)?.peers.find((p) => p.nodeId === nodeId)?.path ?? "none"
      return path === "direct" ? path : undefined
    }
    return until("a direct path", this.name, 10_000, look).catch(() => path)
  }

  async apply(desired: Desired): Promise<void> {
    const plan: Wire<typeof Plan> = {
      networks: desired.networks.map((id) => ({ id, topologyVersion: 1 })),
      zones: desired.zones ?? [emptyZone],
      sandboxes: desired.sandboxes.map(({ id, pid, zone }) => ({ id, pid, startTime: startTimeOf(pid), zone })),
      outbound: desired.outbound ?? [],
      inbound: desired.inbound ?? []
    }
    const answer = await this.client.request<{ readonly sandboxes: ReadonlyArray<{ readonly id: string; readonly ok: boolean; readonly error?: string }> }>(
      "apply", { generation: ++this.#generation, base: null, plan })
    const failed = answer.sandboxes.filter((s) => !s.ok)
    if (failed.length > 0) throw new Error(`meshd of ${this.name}: ${failed.map((s) => `${s.id}: ${s.error}`).join("; ")}`)
  }
}

export const emptyZone = { id: "empty", origins: {}, names: {} }
