/** Sandbox to alias to sandbox on another host: two meshds over their mesh, against relays over userspace WireGuard. */
import { atLeast, atMost, product } from "../figures.ts"
import { contest } from "./contest.ts"
import { answering, port, serve, steps, type Contestant } from "./loadgen.ts"
import { hosts, ours, rivals } from "./namespaces.ts"
import { note, options } from "./options.ts"
import { startPair } from "./Pair.ts"
import type { Running } from "./processes.ts"
import { startAcrossHosts } from "./rivals.ts"
import { deliverContest } from "./rows.ts"

const network = "net_across"
const direct = `${hosts[1].address}:9100`

export const acrossHosts = async (): Promise<void> => {
  const running: Array<Running> = [await serve(rivals.far), await serve(hosts[1].netns, direct)]
  const contestants: Array<Contestant> = [
    ...await startAcrossHosts(),
    { name: "no relay, no encryption", netns: hosts[0].netns, address: direct, relays: [] }
  ]
  if (options().product) {
    running.push(await serve(ours.far))
    const pair = await startPair("across", [network])
    running.push(pair)
    await pair.join(network)
    await pair.permit(network)
    const address = `${pair.alias(network)}:${port}`
    await answering(pair, ours.source, address)
    note(`across-hosts: the mesh's path is ${await pair.path(network)}`)
    contestants.unshift({ name: product, netns: ours.source, address, relays: pair.hosts })
  }
  const outcome = await contest("across-hosts", contestants, steps)
  deliverContest("across-hosts", "haproxy over wireguard-go", outcome, [
    { figure: "tput1", what: "throughput, 1 stream", unit: "Gb/s", aim: atLeast(1.1) },
    { figure: "tput8", what: "throughput, 8 streams", unit: "Gb/s", aim: atLeast(1.1) },
    { figure: "rtt50", what: "round trip, median", unit: "us", aim: atMost(1.05) },
    { figure: "rtt99", what: "round trip, p99", unit: "us", aim: atMost(1.05) },
    { figure: "conn1", what: "connections, 1 worker", unit: "1/s", aim: atLeast(1) },
    { figure: "conn8", what: "connections, 8 workers", unit: "1/s", aim: atLeast(1) },
    { figure: "cpuPerConnection", what: "relays' and mesh's processor time per connection, 8 workers", unit: "us" },
    { figure: "cpuPerGigabyte", what: "relays' and mesh's processor time per GB, 1 stream", unit: "s" }
  ])
  for (const process of [...running, ...contestants.flatMap((c) => c.relays)]) await process.kill()
}
