/**
 * What people would use instead, set up as well as we know: HAProxy between two namespaces, HAProxy or a plain Go splice
 * relay at both ends of a userspace WireGuard link, dnsmasq.
 */
import { writeFileSync } from "node:fs"
import { filtered, hosts, inside, netnsFile, rivals, run, type Sandboxes } from "./namespaces.ts"
import { answering, loadgen, port } from "./loadgen.ts"
import { options } from "./options.ts"
import { folder, start, type Running } from "./processes.ts"
import { tunnel } from "./tunnel.ts"

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

export const across = {
  haproxy: { name: "haproxy over wireguard-go", address: "127.64.9.3:8080" },
  splice: { name: "go splice over wireguard-go", address: "127.64.9.4:8080" },
  current: { name: "haproxy over today's wireguard-go", address: "127.64.9.6:8080" }
} as const

/** Two relays at the ends of a tunnel, on the same two hosts; the aim names Debian's wireguard-go, today's is four years faster. */
export const startAcrossHosts = async (): Promise<ReadonlyArray<Running>> => {
  const [h1, h2] = hosts
  const debian = await tunnel("deb", "wireguard-go", 98)
  const current = await tunnel("cur", `${options().binaries}/wireguard-go-current`, 97)
  const target = `127.0.0.1:${port}`
  const far = haproxy("haproxy-far", h2.netns, [debian, current].map(({ far }) => ({ listen: `${far}:7100`, dial: target, dialIn: rivals.far })))
  const near = haproxy("haproxy-near", h1.netns, [
    { listen: across.haproxy.address, listenIn: rivals.source, dial: `${debian.far}:7100` },
    { listen: across.current.address, listenIn: rivals.source, dial: `${current.far}:7100` }
  ])
  const spliceFar = relay("splice-far", rivals.far, h2.netns, `${debian.far}:7200`, target)
  const spliceNear = relay("splice-near", h1.netns, rivals.source, across.splice.address, `${debian.far}:7200`)
  await answering(near, rivals.source, across.haproxy.address)
  await answering(near, rivals.source, across.current.address)
  await answering(spliceNear, rivals.source, across.splice.address)
  return [...debian.running, ...current.running, far, near, spliceFar, spliceNear]
}
