/**
 * What people would use instead, set up as well as we know: HAProxy between two namespaces, HAProxy or a plain Go splice
 * relay at both ends of a userspace WireGuard link, dnsmasq.
 */
import { writeFileSync } from "node:fs"
import { filtered, hosts, inside, netnsFile, rivals, run, type Sandboxes } from "./namespaces.ts"
import { answering, loadgen, port } from "./loadgen.ts"
import { folder, output, start, until, type Running } from "./processes.ts"

const haproxyGlobals = `global
  maxconn 4000
  tune.bufsize 65536
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 60s
  timeout server 60s
`

interface Hop {
  readonly listen: string
  readonly listenIn?: string
  readonly dial: string
  readonly dialIn?: string
}

/** One HAProxy process, running in `netns`; a hop may listen or dial in another namespace (HAProxy's own `namespace` option). */
const haproxy = (name: string, netns: string, hops: ReadonlyArray<Hop>): Running => {
  const within = (n: string | undefined): string => n === undefined ? "" : ` namespace ${n}`
  const listeners = hops.map((hop, i) =>
    `listen hop${i}\n  bind ${hop.listen}${within(hop.listenIn)}\n  server target ${hop.dial}${within(hop.dialIn)}\n`)
  const file = `${folder}/${name}.cfg`
  writeFileSync(file, haproxyGlobals + listeners.join(""))
  return start(name, netns, ["haproxy", "-db", "-f", file])
}

export const sameHostHaproxy = { plain: "127.64.9.1:8080", filtered: "127.64.9.2:8080" } as const
export const sameHostSplice = "127.64.9.5:8080"

/** Source sandbox to target sandbox on one host, once plainly and once behind a destination NAT like the product's. */
export const startSameHost = async (): Promise<ReadonlyArray<Running>> => {
  const hop = (s: Sandboxes, listen: string): Hop => ({ listen, listenIn: s.source, dial: `127.0.0.1:${port}`, dialIn: s.near })
  redirect(filtered.source, sameHostHaproxy.filtered, 61_000)
  trackLoopback(filtered.near)
  const proxy = haproxy("haproxy", hosts[0].netns, [hop(rivals, sameHostHaproxy.plain), hop(filtered, "127.0.0.1:61000")])
  const splice = relay("splice", rivals.near, rivals.source, sameHostSplice, `127.0.0.1:${port}`)
  await answering(proxy, rivals.source, sameHostHaproxy.plain)
  await answering(proxy, filtered.source, sameHostHaproxy.filtered)
  await answering(splice, rivals.source, sameHostSplice)
  return [proxy, splice]
}

/** The load generator's splice relay, in `netns`, listening in `listenIn`. */
const relay = (name: string, netns: string, listenIn: string, listen: string, to: string): Running =>
  start(name, netns, [loadgen, "relay", "-netns", netnsFile(listenIn), "-listen", listen, "-dial", to])

const redirect = (netns: string, address: string, to: number): void => {
  const [ip, p] = address.split(":")
  run(inside(netns, ["nft", "-f", "-"]), `table ip gb {
  set permitted { type ipv4_addr . inet_service; elements = { ${ip} . ${p} } }
  chain nat { type nat hook output priority -100; ip daddr . tcp dport @permitted dnat to 127.0.0.1:${to}; }
  chain filter { type filter hook output priority 10; ip daddr 127.64.0.0/10 meta l4proto tcp reject with tcp reset; }
}`)
}

/** Connection tracking without a rule, as in a target sandbox of the product's. */
const trackLoopback = (netns: string): void => {
  run(inside(netns, ["nft", "-f", "-"]), "table ip gb {\n chain nat { type nat hook output priority -100; }\n}")
}

export const wireguard = ["10.98.0.1", "10.98.0.2"] as const
export const acrossHaproxy = "127.64.9.3:8080"
export const acrossSplice = "127.64.9.4:8080"

/** Two relays and Debian's wireguard-go between them, on the same two hosts. */
export const startAcrossHosts = async (): Promise<ReadonlyArray<Running>> => {
  const [h1, h2] = hosts
  const keys = hosts.map(() => run(["wg", "genkey"]).trim())
  const running: Array<Running> = []
  for (const [i, host] of hosts.entries()) {
    const device = `wg${i}`, other = 1 - i
    const go = start(`wireguard-${i}`, host.netns, ["wireguard-go", "-f", device])
    running.push(go)
    await until("the WireGuard device", go.name, 5_000, async () =>
      (await output(host.netns, ["ip", "-br", "link"])).includes(device) ? true : undefined)
    writeFileSync(`${folder}/${device}.key`, `${keys[i]}\n`, { mode: 0o600 })
    run(inside(host.netns, [
      "wg", "set", device, "private-key", `${folder}/${device}.key`, "listen-port", "51820", "peer", run(["wg", "pubkey"], keys[other]).trim(),
      "allowed-ips", `${wireguard[other]}/32`, "endpoint", `${hosts[other]!.address}:51820`
    ]))
    run(inside(host.netns, ["ip", "addr", "add", `${wireguard[i]}/24`, "dev", device]))
    run(inside(host.netns, ["ip", "link", "set", device, "up"]))
  }
  const target = `127.0.0.1:${port}`
  const far = haproxy("haproxy-far", h2.netns, [{ listen: `${wireguard[1]}:7100`, dial: target, dialIn: rivals.far }])
  const near = haproxy("haproxy-near", h1.netns, [{ listen: acrossHaproxy, listenIn: rivals.source, dial: `${wireguard[1]}:7100` }])
  const spliceFar = relay("splice-far", rivals.far, h2.netns, `${wireguard[1]}:7200`, target)
  const spliceNear = relay("splice-near", h1.netns, rivals.source, acrossSplice, `${wireguard[1]}:7200`)
  await answering(near, rivals.source, acrossHaproxy)
  await answering(spliceNear, rivals.source, acrossSplice)
  return [...running, far, near, spliceFar, spliceNear]
}
