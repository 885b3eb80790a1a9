/**
 * Resident memory of a fresh meshd, step by step: idle on one network, after five more, after a thousand aliases more,
 * after a load, after it returned what it could. On the way, how long the first stream of each new network takes once the
 * join reports the peer as ready.
 */
import { below, product, type Aim } from "../figures.ts"
import { setTimeout as delay } from "node:timers/promises"
import { emptyZone, type Desired } from "./Host.ts"
import { loadgen, port, serve } from "./loadgen.ts"
import { ours } from "./namespaces.ts"
import { deliver, note, options } from "./options.ts"
import { startPair, type Pair } from "./Pair.ts"
import { measure } from "./processes.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { zoneOf } from "./zone.ts"

const networks = ["net_first", "net_a", "net_b", "net_c", "net_d", "net_e"]
/** Longer than a node's own timers after a join; memory has settled then. */
const settleMs = 3000

export const memory = async (): Promise<void> => {
  const found = new Map<string, Array<number>>()
  const add = (figure: string, value: number) => found.set(figure, [...found.get(figure) ?? [], value])
  const load = new ForeignLoad(options().patienceMs)
  for (let round = 0; round < options().rounds; round++) {
    note(`memory: round ${round + 1} of ${options().rounds}`)
    await load.quiet()
    const pair = await startPair(`memory-${round}`, networks)
    const server = await serve(ours.far)
    try {
      await measureOnce(pair, add)
    } finally {
      await server.kill()
      await pair.kill()
    }
  }
  const figure = (key: string, what: string, unit: string, aim?: Aim): void =>
    deliver({ row: "memory", what, unit, ours: { name: product, samples: found.get(key) ?? [] }, references: [], foreignLoad: load.samples, ...(aim === undefined ? {} : { aim }) })
  figure("bare", "meshd without a network", "MB")
  figure("idle", "meshd idle, one network", "MB", below(30))
  figure("network", "meshd, each further network", "MB", below(4))
  figure("aliases", "meshd, per 1,000 permitted aliases", "MB", below(10))
  figure("load", "meshd after a load (8 streams), the greater of both ends", "MB", below(200))
  figure("trim", "meshd after that and a trim", "MB")
  figure("first", "first stream after a join, once ready", "ms", below(50))
}

const measureOnce = async (pair: Pair, add: (figure: string, value: number) => void): Promise<void> => {
  const source = pair.hosts[0]
  const now = async (): Promise<number> => {
    await delay(settleMs)
    return source.residentMegabytes()
  }
  add("bare", await now())
  const enter = async (network: string): Promise<void> => {
    await pair.join(network)
    await pair.permit(network)
    const first = await measure(ours.source, [loadgen, "conn", "-addr", `${pair.alias(network)}:${port}`, "-seconds", "0"]) as { readonly p50Micros: number }
    add("first", first.p50Micros / 1e3)
  }
  await enter(networks[0]!)
  const one = await now()
  add("idle", one)
  for (const network of networks.slice(1)) await enter(network)
  const six = await now()
  add("network", (six - one) / (networks.length - 1))
  await pair.apply(0, thousandAliases(networks[0]!))
  add("aliases", await now() - six)
  await measure(ours.source, [loadgen, "tput", "-addr", `${pair.alias(networks[0]!)}:${port}`, "-streams", "8", "-seconds", "5"])
  add("load", Math.max(...pair.hosts.map((host) => host.residentMegabytes())))
  await Promise.all(pair.hosts.map((host) => host.client.request("trim")))
  add("trim", Math.max(...pair.hosts.map((host) => host.residentMegabytes())))
}

const thousandAliases = (network: string): Pick<Desired, "outbound" | "zones"> => {
  const aliases = Array.from({ length: 1000 }, (_, i) => ({ name: `svc-${i}.dev.gstacks`, address: `127.64.${16 + (i >> 8)}.${i & 255}` }))
  return {
    zones: [emptyZone, zoneOf("thousand", "gstacks", aliases)],
    outbound: aliases.map(({ address }, i) => ({
      id: `out_${i}`, sandbox: "sbx_source", network, alias: `als_${i}`, address, port, rules: [`rul_${i}`],
      target: { kind: "node", node: "none", address: "100.64.9.9" }
    }))
  }
}
