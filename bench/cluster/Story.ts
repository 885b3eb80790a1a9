/**
 * A disposable cluster with one network: `server` on the second host publishes `api:8080`, and a client sandbox on each
 * other host makes that every agent takes part. Changes go straight to the HTTP API, so that no CLI start is timed.
 */
import { startCluster, type Cluster } from "../../test/harness/cluster.ts"
import { binaries, root } from "../tools.ts"
import { Watch } from "../Watch.ts"

/** As sandboxes see it, wherever the repository is: some places are hidden from them. */
export const loadgen = "/run/loadgen"
const bind = ["--bind", `${binaries}/loadgen:${loadgen}`]
const gstacks = `${root}bin/gstacks`

export interface Changed<A> {
  readonly value: A
  readonly change: { readonly version: number }
}

const open = new Set<Story>()

/** For an interrupt: ends the clusters that run and removes their folders. */
export const endStories = (): Promise<unknown> => Promise.allSettled([...open].map((story) => story[Symbol.asyncDispose]()))

export class Story implements AsyncDisposable {
  readonly cluster: Cluster
  readonly hosts: number
  readonly program = gstacks

  private constructor(cluster: Cluster, hosts: number) {
    this.cluster = cluster
    this.hosts = hosts
  }

  static async begin(hosts: number): Promise<Story> {
    const story = new Story(await startCluster({ hosts }), hosts)
    open.add(story)
    try {
      await story.#set()
      return story
    } catch (error) {
      await story[Symbol.asyncDispose]()
      throw error
    }
  }

  async #set(): Promise<void> {
    await this.gstacks("network", "create", "bench")
    await this.gstacks("sandbox", "run", "server", "--agent", "host-2", ...bind, "--", loadgen, "serve", "-addr", "127.0.0.1:8080")
    await this.gstacks("network", "attach", "bench", "server", "--alias", "api", "--port", "8080")
    for (const [client, host] of this.#clients) {
      await this.gstacks("sandbox", "run", client, "--agent", `host-${host}`, ...bind, "--", "sleep", "infinity")
      await this.gstacks("network", "attach", "bench", client)
    }
  }

  /** By name, each with its host's number. */
  get #clients(): ReadonlyArray<readonly [client: string, host: number]> {
    const hosts = Array.from({ length: this.hosts }, (_, index) => index + 1).filter((host) => host !== 2)
    return hosts.map((host) => [host === 1 ? "client" : `client-${host}`, host])
  }

  get clients(): ReadonlyArray<string> {
    return this.#clients.map(([client]) => client)
  }

  /** A second server, allowed to everybody for good; its address and port. */
  async publishAnother(): Promise<string> {
    await this.gstacks("sandbox", "run", "lasting", "--agent", "host-2", ...bind, "--", loadgen, "serve", "-addr", "127.0.0.1:8080")
    await this.gstacks("network", "attach", "bench", "lasting", "--alias", "lasting", "--port", "8080")
    await this.gstacks("network", "policy", "allow", "bench", "--from", "any", "--to", "lasting", "--port", "8080")
    const { address } = await this.api<{ readonly address: string }>("GET", "networks/bench/resolve/lasting")
    return `${address}:8080`
  }

  async gstacks(...args: ReadonlyArray<string>): Promise<string> {
    const { code, stderr, stdout } = await this.cluster.gstacks(...args)
    if (code !== 0) throw new Error(`gstacks ${args.join(" ")}: exit ${code}\n${stdout}${stderr}`)
    return stdout
  }

  async api<A>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<A> {
    const response = await fetch(`${this.cluster.url}/api/v1/${path}`, {
      method, headers: { authorization: `Bearer ${this.cluster.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return await response.json() as A
  }

  allow(from = "sandbox:client"): Promise<Changed<{ readonly id: string }>> {
    return this.api("POST", "networks/bench/rules", { from, to: "api", port: 8080 })
  }

  revoke(rule: string): Promise<Changed<unknown>> {
    return this.api("DELETE", `networks/bench/rules/${rule}`)
  }

  /** Waits until all agents have the version; milliseconds from its commit to the last acknowledgement. */
  async applied(version: number): Promise<number> {
    const path = `networks/bench/receipts/${version}?timeoutMs=10000`
    const receipt = await this.api<{ readonly elapsedMs: number | null; readonly applied: number; readonly participants: number }>("GET", path)
    if (receipt.elapsedMs === null || receipt.applied < this.hosts) {
      throw new Error(`version ${version} was applied by ${receipt.applied} of ${this.hosts} agents within 10 s`)
    }
    return receipt.elapsedMs
  }

  /** The client sandbox asks `api:8080` again and again. */
  async watch(seconds: number): Promise<Watch> {
    const { address } = await this.api<{ readonly address: string }>("GET", "networks/bench/resolve/api")
    return new Watch(
      [gstacks, "sandbox", "exec", "client", "--", loadgen, "watch", "-addr", `${address}:8080`, "-seconds", String(seconds)], this.cluster.env)
  }

  /** Waits until the client sandbox is answered once, whatever had been killed. */
  async answering(limitMs: number): Promise<void> {
    const { address } = await this.api<{ readonly address: string }>("GET", "networks/bench/resolve/api")
    const end = performance.now() + limitMs
    for (;;) {
      const { code, stderr } = await this.cluster.gstacks("sandbox", "exec", "client", "--", loadgen, "conn", "-addr", `${address}:8080`, "-seconds", "0")
      if (code === 0) return
      if (performance.now() > end) throw new Error(`the client is not answered again within ${limitMs} ms: ${stderr}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    open.delete(this)
    await this.cluster.stop()
  }
}
