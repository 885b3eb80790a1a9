/**
 * The cluster's network: a bridge in the world's own namespace, where control plane and Headscale live, and one namespace per host
 * with a cable to it. No namespace has a default route or IPv6, so nothing can leave and nothing but the bridge's addresses is seen.
 */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { stat } from "node:fs/promises"
import { DevError } from "../DevError.ts"

export const controlAddress = "10.99.0.1"
export const hostAddress = (index: number) => `10.99.0.${11 + index}`
export const maxHosts = 200

const noIpv6 = "for each in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -e $each ] || echo 1 > $each; done"

const hostLines = (host: string, index: number) => `
ip netns add ${host}
ip -n ${host} link set lo up
ip link add to-${host} type veth peer name eth0 netns ${host}
nsenter --net=/run/netns/${host} sh -c '${noIpv6}'
ip link set to-${host} master cluster up
ip -n ${host} address add ${hostAddress(index)}/24 dev eth0
ip -n ${host} link set eth0 up`

/** One script, since each step is a command of iproute2 and the first that fails should end it. */
export const bridgeScript = (hosts: ReadonlyArray<string>) => `set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/netns
ip link set lo up
ip link add cluster type bridge mcast_snooping 0
${noIpv6}
ip address add ${controlAddress}/24 dev cluster
ip link set cluster up
${hosts.map(hostLines).join("\n")}`

const run = (script: string) =>
  Effect.callback<void, DevError>((resume) => {
    execFile("sh", ["-c", script], { timeout: 30_000 }, (error, _stdout, stderr) =>
      resume(error === null ? Effect.void : Effect.fail(
        new DevError({
          message: `the cluster's network could not be made: ${stderr.trim() || error.message}`,
          hint: "run scripts/setup: it checks what this machine allows"
        })
      )))
  })

/** Answers with each namespace's name in /proc, by host (`control` is the world's own). */
export const makeBridge = Effect.fn("dev.makeBridge")(function*(hosts: ReadonlyArray<string>) {
  yield* run(bridgeScript(hosts))
  const inode = (path: string) => Effect.promise(async () => `net:[${(await stat(path)).ino}]`)
  const names: Record<string, string> = { control: yield* inode("/proc/self/ns/net") }
  for (const host of hosts) names[host] = yield* inode(`/run/netns/${host}`)
  return names
})
