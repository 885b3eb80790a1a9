/**
 * What people would use instead, set up as well as we know: HAProxy between two namespaces, HAProxy or a plain Go splice
 * relay at both ends of a userspace WireGuard link, dnsmasq.
 */
import { writeFileSync } from "node:fs"
import { filtered, hosts, inside, netnsFile, rivals, run } from "./namespaces.ts"
import { answering, loadgen, port, type Contestant } from "./loadgen.ts"
import { options } from "./options.ts"
import { folder, start, type Running } from "./processes.ts"
import { tunnel, type Tunnel } from "./tunnel.ts"

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

/** Source sandbox to target sandbox on one host: HAProxy, HAProxy behind a destination NAT like the product's, a splice relay. */
export const startSameHost = async (): Promise<ReadonlyArray<Contestant>> => {
  const target = `127.0.0.1:${port}`
  const plain = "127.64.9.1:8080", redirected = "127.64.9.2:8080", spliced = "127.64.9.5:8080"
  redirect(filtered.source, redirected, 61_000)
  trackLoopback(filtered.near)
  const proxy = haproxy("haproxy", hosts[0].netns, [
    { listen: plain, listenIn: rivals.source, dial: target, dialIn: rivals.near },
    { listen: "127.0.0.1:61000", listenIn: filtered.source, dial: target, dialIn: filtered.near }
  ])
  const splice = relay("splice", rivals.near, rivals.source, spliced, target)
  return allAnswering([
    { name: "haproxy", netns: rivals.source, address: plain, relays: [proxy] },
    { name: "haproxy behind the same nat", netns: filtered.source, address: redirected, relays: [proxy] },
    { name: "go splice", netns: rivals.source, address: spliced, relays: [splice] }
  ])
}

const allAnswering = async (contestants: ReadonlyArray<Contestant>): Promise<ReadonlyArray<Contestant>> => {
  for (const { address, netns, relays } of contestants) await answering(relays[0]!, netns, address)
  return contestants
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

/** Two relays at the ends of a tunnel, on the same two hosts; the aim names Debian's wireguard-go, today's is four years younger. */
export const startAcrossHosts = async (): Promise<ReadonlyArray<Contestant>> => {
  const [h1, h2] = hosts
  const debian = await tunnel("deb", "wireguard-go", 98)
  const current = await tunnel("cur", `${options().binaries}/wireguard-go-current`, 97)
  const target = `127.0.0.1:${port}`
  const haproxies = (name: string, listen: string, { far, running }: Tunnel): ReadonlyArray<Running> => [
    haproxy(`${name}-near`, h1.netns, [{ listen, listenIn: rivals.source, dial: `${far}:7100` }]),
    haproxy(`${name}-far`, h2.netns, [{ listen: `${far}:7100`, dial: target, dialIn: rivals.far }]),
    ...running
  ]
  const overDebian = "127.64.9.3:8080", overCurrent = "127.64.9.6:8080", spliced = "127.64.9.4:8080"
  return allAnswering([
    { name: "haproxy over wireguard-go", netns: rivals.source, address: overDebian, relays: haproxies("debian", overDebian, debian) },
    { name: "haproxy over today's wireguard-go", netns: rivals.source, address: overCurrent, relays: haproxies("current", overCurrent, current) },
    {
      name: "go splice over wireguard-go", netns: rivals.source, address: spliced,
      relays: [
        relay("splice-near", h1.netns, rivals.source, spliced, `${debian.far}:7200`), relay("splice-far", rivals.far, h2.netns, `${debian.far}:7200`, target),
        ...debian.running
      ]
    }
  ])
}
