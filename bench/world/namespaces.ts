/**
 * Two hosts and their sandboxes as network namespaces: a bridge in `gb-hub` that leads nowhere else, `gb-h1` and `gb-h2`
 * on it, and sandboxes that have a loopback only. The product and its rivals get sandboxes of their own, so that neither
 * pays for the other's packet filter.
 */
import { execFileSync } from "node:child_process"

export const hub = { netns: "gb-hub", address: "10.99.0.1" } as const
export const hosts = [{ netns: "gb-h1", address: "10.99.0.11" }, { netns: "gb-h2", address: "10.99.0.12" }] as const

/** A source on host 1, a target on the same host, a target on host 2. */
export interface Sandboxes {
  readonly source: string
  readonly near: string
  readonly far: string
}
export const ours: Sandboxes = { source: "gb-s1", near: "gb-s2", far: "gb-s3" }
export const rivals: Sandboxes = { source: "gb-r1", near: "gb-r2", far: "gb-r3" }
/** Like the rivals', with the product's kind of packet filter before the listener: shows what that part costs. */
export const filtered: Sandboxes = { source: "gb-d1", near: "gb-d2", far: "gb-d3" }

export const netnsFile = (name: string): string => `/run/netns/${name}`

export const inside = (netns: string, argv: ReadonlyArray<string>): Array<string> => ["nsenter", `--net=${netnsFile(netns)}`, "--", ...argv]

// Thousands of short connections to one address: ports come back after a second instead of a minute.
const settings = [
  "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
  "net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=10000 60999"
]

export const makeNamespaces = (): void => {
  const sandboxes = [ours, rivals, filtered].flatMap((s) => [s.source, s.near, s.far])
  for (const name of [hub.netns, ...hosts.map((h) => h.netns), ...sandboxes]) {
    ip(`netns add ${name}`)
    run(inside(name, ["sysctl", "-qw", ...settings]))
    ip(`-n ${name} link set lo up`)
  }
  for (const name of sandboxes) ip(`-n ${name} addr add 127.0.0.2/32 dev lo`)
  ip(`-n ${hub.netns} link add br0 type bridge`)
  ip(`-n ${hub.netns} addr add ${hub.address}/24 dev br0`)
  ip(`-n ${hub.netns} link set br0 up`)
  for (const { address, netns } of hosts) {
    ip(`-n ${hub.netns} link add ${netns} type veth peer name eth0 netns ${netns}`)
    ip(`-n ${hub.netns} link set ${netns} master br0 up`)
    ip(`-n ${netns} addr add ${address}/24 dev eth0`)
    ip(`-n ${netns} link set eth0 up`)
  }
}

export const run = ([command, ...args]: ReadonlyArray<string>, input?: string): string =>
  execFileSync(command!, args, { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"], ...(input === undefined ? {} : { input }) })

const ip = (line: string): void => void run(["ip", ...line.split(" ")])
