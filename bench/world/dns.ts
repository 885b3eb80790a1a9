/**
 * Name service of a sandbox: meshd's compiled zone behind the packet filter, against dnsmasq with the same thousand names
 * straight on a port. The server has one processor to itself, the asking dnsperf the other.
 */
import { atLeast, atMost, product } from "../figures.ts"
import { writeFileSync } from "node:fs"
import { contest, type Readings } from "./contest.ts"
import { emptyZone, hold, Host } from "./Host.ts"
import { hosts, ours, rivals, run } from "./namespaces.ts"
import { options } from "./options.ts"
import { folder, output, start, until, type Running } from "./processes.ts"
import { deliverContest } from "./rows.ts"
import { zoneOf } from "./zone.ts"

const names = Array.from({ length: 1000 }, (_, i) => ({ name: `svc-${i}.dev.gstacks`, address: `127.64.${4 + (i >> 8)}.${i & 255}` }))
const questions = `${folder}/questions`
/** Well below what either can do: shows the delay of an answer, not of a queue. */
const calmRate = 5000

interface Server {
  readonly name: string
  readonly netns: string
  readonly at: readonly [address: string, port: number]
}

export const dns = async (): Promise<void> => {
  writeFileSync(questions, names.map(({ name }, i) => `${name} ${i % 4 === 3 ? "AAAA" : "A"}\n`).join(""))
  const running: Array<Running> = [dnsmasq()]
  const servers: Array<Server> = [{ name: "dnsmasq", netns: rivals.source, at: ["127.0.0.1", 5300] }]
  const host = new Host("dns", hosts[0].netns)
  if (options().product) {
    running.push(await serveZone(host))
    servers.unshift({ name: product, netns: ours.source, at: ["127.64.0.53", 53] })
  }
  for (const server of servers) await until(`${server.name} answers`, server.name, 10_000, () => ask(server, ["-n", "1", "-t", "1"]).catch(() => undefined))
  deliverContest("dns", "dnsmasq", await contest("dns", servers, [full, calm]), [
    { figure: "qps", what: "queries", unit: "1/s", aim: atLeast(1) },
    { figure: "latency", what: `mean latency, 100 in flight`, unit: "us", aim: atMost(1) },
    { figure: "calm", what: `mean latency at ${calmRate} queries/s`, unit: "us", aim: atMost(1) }
  ])
  await host.kill()
  for (const process of running) await process.kill()
}

const dnsmasq = (): Running => {
  const file = `${folder}/dnsmasq.conf`
  const records = names.map(({ address, name }) => `host-record=${name},${address},5\n`).join("")
  writeFileSync(file, `no-resolv\nno-hosts\nno-daemon\nuser=\nport=5300\nlisten-address=127.0.0.1\nbind-interfaces\nlocal=/gstacks/\n${records}`)
  return start("dnsmasq", rivals.source, ["taskset", "-c", "0", "dnsmasq", "-k", "-C", file])
}

const serveZone = async (host: Host): Promise<Running> => {
  const source = hold(ours.source)
  await host.start()
  run(["taskset", "-a", "-p", "-c", "0", String(host.pid)])
  await host.apply({
    networks: ["net_dns"], zones: [emptyZone, zoneOf("names", "gstacks", names)],
    sandboxes: [{ id: "sbx_source", pid: source.pid, zone: "names" }]
  })
  return source
}

const ask = async ({ at: [address, port], netns }: Server, args: ReadonlyArray<string>): Promise<{ readonly qps: number; readonly latency: number }> => {
  const printed = await output(netns, ["taskset", "-c", "1", "dnsperf", "-s", address, "-p", String(port), "-d", questions, ...args])
  const value = (label: string): number => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(printed)?.[1] ?? Number.NaN)
  const [sent, completed] = [value("Queries sent"), value("Queries completed")]
  if (sent !== completed || !/NOERROR \d+ \(100\.00%\)/.test(printed)) throw new Error(`dnsperf at ${address}: ${printed}`)
  return { qps: value("Queries per second"), latency: value("Average Latency \\(s\\)") * 1e6 }
}

const full = async (server: Server): Promise<Readings> => {
  const { latency, qps } = await ask(server, ["-l", String(options().seconds), "-q", "100"])
  return { qps, latency }
}

const calm = async (server: Server): Promise<Readings> => ({ calm: (await ask(server, ["-l", String(options().seconds), "-Q", String(calmRate)])).latency })
