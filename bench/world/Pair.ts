/** Two hosts whose meshds share networks of one Headscale: the source sandbox on the first, the far target on the second. */
import { hold, Host, type Desired } from "./Host.ts"
import { startHeadscale, type Headscale } from "./headscale.ts"
import { port } from "./loadgen.ts"
import { hosts, ours } from "./namespaces.ts"
import type { Running } from "./processes.ts"

export interface Pair extends Running {
  readonly hosts: readonly [Host, Host]
  /** Virtual address of the far target in a network. */
  readonly alias: (network: string) => string
  /** Joins both hosts, returns when each is a ready peer of the other. */
  readonly join: (network: string) => Promise<void>
  /** Joins again after a meshd restart, with the stored state. */
  readonly rejoin: (host: 0 | 1, network: string) => Promise<void>
  /** Adds the permits from source to far target in a joined network. */
  readonly permit: (network: string) => Promise<void>
  /** How the first host's packets reach the second: waits a while for a direct path, tells what it is then. */
  readonly path: (network: string) => Promise<string>
  /** Gives one host its whole plan again, with what `extra` adds to the source's. */
  readonly apply: (host: 0 | 1, extra?: Pick<Desired, "outbound" | "zones">) => Promise<void>
}

const firstUdpPort = 41650

export const startPair = async (name: string, networks: ReadonlyArray<string>): Promise<Pair> => {
  const headscale: Headscale = await startHeadscale(name, networks)
  const [source, far] = [hold(ours.source), hold(ours.far)]
  const pair = [new Host(`${name}-1`, hosts[0].netns), new Host(`${name}-2`, hosts[1].netns)] as const
  for (const host of pair) await host.start()
  const nodes = new Map<string, readonly [Node, Node]>()
  const permitted: Array<string> = []
  const udpPort = (network: string): number => firstUdpPort + networks.indexOf(network)
  const alias = (network: string): string => `127.64.2.${networks.indexOf(network) + 1}`

  const desired = (host: 0 | 1, extra: Pick<Desired, "outbound" | "zones"> = {}): Desired => host === 0
    ? {
      networks: permitted, sandboxes: [{ id: "sbx_source", pid: source.pid, zone: "empty" }], ...extra,
      outbound: [
        ...permitted.map((network) => ({
          id: `out_${network}`, sandbox: "sbx_source", network, alias: `als_${network}`, address: alias(network), port, rules: [`rul_${network}`],
          target: { kind: "node" as const, node: nodes.get(network)![1].nodeId, address: nodes.get(network)![1].address }
        })),
        ...extra.outbound ?? []
      ]
    }
    : {
      networks: permitted, sandboxes: [{ id: "sbx_far", pid: far.pid, zone: "empty" }],
      inbound: permitted.map((network) => ({
        id: `in_${network}`, network, node: nodes.get(network)![0].nodeId, source: "sbx_source", alias: `als_${network}`, port, sandbox: "sbx_far",
        rules: [`rul_${network}`]
      }))
    }
  const apply: Pair["apply"] = (host, extra) => pair[host].apply(desired(host, extra))
  const ready = (network: string) => {
    const [a, b] = nodes.get(network)!
    return Promise.all([pair[0].ready(network, b.nodeId), pair[1].ready(network, a.nodeId)])
  }
  return {
    hosts: pair, alias, apply, name, pid: pair[0].pid,
    join: async (network) => {
      const key = headscale.authKey(network)
      nodes.set(network, await Promise.all([pair[0].join(network, headscale.url, udpPort(network), key), pair[1].join(network, headscale.url, udpPort(network), key)]))
      await ready(network)
    },
    rejoin: async (host, network) => void await pair[host].join(network, headscale.url, udpPort(network)),
    permit: async (network) => {
      permitted.push(network)
      await apply(1)
      await apply(0)
    },
    path: (network) => pair[0].path(network, nodes.get(network)![1].nodeId),
    kill: async () => {
      for (const process of [...pair, source, far, headscale]) await process.kill()
    }
  }
}

interface Node {
  readonly nodeId: string
  readonly address: string
}
