/** Sandbox to alias to sandbox on another host: two meshds over their mesh, against relays over userspace WireGuard. */
import { atLeast, atMost, product } from "../figures.ts"
import { contest, type Contestant } from "./contest.ts"
import { answering, port, serve } from "./loadgen.ts"
import { hosts, ours, rivals } from "./namespaces.ts"
import { note, options } from "./options.ts"
import { startPair } from "./Pair.ts"
import type { Running } from "./processes.ts"
import * as rival from "./rivals.ts"
import { deliverContest } from "./rows.ts"

const direct = `${hosts[1].address}:9100`

export const acrossHosts = async (): Promise<void> => {
  const running: Array<Running> = [await serve(rivals.far), await serve(hosts[1].netns, direct), ...await rival.startAcrossHosts()]
  const contestants: Array<Contestant> = [
    ...Object.values(rival.across).map((r) => ({ ...r, netns: rivals.source })),
    { name: "no relay, no encryption", netns: hosts[0].netns, address: direct }
  ]
  if (options().product) {
    running.push(await serve(ours.far))
    const pair = await startPair("across", ["net_across"])
    await pair.join("net_across")
    await pair.permit("net_across")
    await answering(pair, ours.source, `${pair.alias("net_across")}:${port}`)
    running.push(pair)
    note(`across-hosts: the mesh's path is ${await pair.path("net_across")}`)
    contestants.unshift({ name: product, netns: ours.source, address: `${pair.alias("net_across")}:${port}` })
  }
  const outcome = await contest("across-hosts", contestants)
  deliverContest("across-hosts", rival.across.haproxy.name, outcome, [
    { figure: "tput1", what: "throughput, 1 stream", unit: "Gb/s", aim: atLeast(1.1) },
    { figure: "tput8", what: "throughput, 8 streams", unit: "Gb/s", aim: atLeast(1.1) },
    { figure: "rtt50", what: "round trip, median", unit: "us", aim: atMost(1.05) },
    { figure: "rtt99", what: "round trip, p99", unit: "us", aim: atMost(1.05) },
    { figure: "conn1", what: "connections, 1 worker", unit: "1/s", aim: atLeast(1) },
    { figure: "conn8", what: "connections, 8 workers", unit: "1/s", aim: atLeast(1) }
  ])
  for (const process of running) await process.kill()
}
