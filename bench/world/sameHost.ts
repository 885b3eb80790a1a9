/** Sandbox to alias to sandbox on one host: one meshd between two namespaces, against one HAProxy between two others. */
import { atLeast, product } from "../figures.ts"
import { contest } from "./contest.ts"
import { hold, Host } from "./Host.ts"
import { answering, port, serve, steps, type Contestant } from "./loadgen.ts"
import { filtered, hosts, ours, rivals } from "./namespaces.ts"
import { options } from "./options.ts"
import type { Running } from "./processes.ts"
import { startSameHost } from "./rivals.ts"
import { deliverContest } from "./rows.ts"

const alias = "127.64.1.1"
const loopback = "127.0.0.1:9100"

export const sameHost = async (): Promise<void> => {
  const running: Array<Running> = [await serve(rivals.near), await serve(filtered.near), await serve(rivals.source, loopback)]
  const contestants: Array<Contestant> = [
    ...await startSameHost(),
    { name: "no relay", netns: rivals.source, address: loopback, relays: [] }
  ]
  if (options().product) {
    running.push(await serve(ours.near))
    const host = await permit(running)
    contestants.unshift({ name: product, netns: ours.source, address: `${alias}:${port}`, relays: [host] })
  }
  const outcome = await contest("same-host", contestants, steps)
  deliverContest("same-host", "haproxy", outcome, [
    { figure: "tput1", what: "throughput, 1 stream", unit: "Gb/s", aim: atLeast(1.2) },
    { figure: "tput8", what: "throughput, 8 streams", unit: "Gb/s", aim: atLeast(1.2) },
    { figure: "conn1", what: "connections, 1 worker", unit: "1/s", aim: atLeast(0.8) },
    { figure: "conn8", what: "connections, 8 workers", unit: "1/s", aim: atLeast(0.8) },
    { figure: "rtt50", what: "round trip, median", unit: "us" },
    { figure: "rtt99", what: "round trip, p99", unit: "us" },
    { figure: "cpuPerConnection", what: "relay's processor time per connection, 8 workers", unit: "us" },
    { figure: "cpuPerGigabyte", what: "relay's processor time per GB, 1 stream", unit: "s" }
  ])
  for (const process of [...running, ...contestants.flatMap((c) => c.relays)]) await process.kill()
}

const permit = async (running: Array<Running>): Promise<Host> => {
  const [source, target] = [hold(ours.source), hold(ours.near)]
  const host = new Host("near", hosts[0].netns)
  running.push(source, target, host)
  await host.start()
  await host.apply({
    networks: ["net_near"],
    sandboxes: [{ id: "sbx_source", pid: source.pid, zone: "empty" }, { id: "sbx_near", pid: target.pid, zone: "empty" }],
    outbound: [{
      id: "out_near", sandbox: "sbx_source", network: "net_near", alias: "als_near", address: alias, port, rules: ["rul_near"],
      target: { kind: "sandbox", sandbox: "sbx_near" }
    }]
  })
  await answering(host, ours.source, `${alias}:${port}`)
  return host
}
