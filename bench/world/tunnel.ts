/** A WireGuard tunnel between the two hosts, made by a userspace program given by name. */
import { writeFileSync } from "node:fs"
import { hosts, inside, run } from "./namespaces.ts"
import { folder, output, start, until, type Running } from "./processes.ts"

export interface Tunnel {
  /** The second host's address in it. */
  readonly far: string
  readonly running: ReadonlyArray<Running>
}

/** Its addresses are 10.`net`.0.1 and .2; its UDP port is of its own, too. */
export const tunnel = async (name: string, program: string, net: number): Promise<Tunnel> => {
  const keys = hosts.map(() => run(["wg", "genkey"]).trim())
  const port = String(51_800 + net)
  const running: Array<Running> = []
  for (const [i, host] of hosts.entries()) {
    const device = `wg${name}${i}`, other = 1 - i
    const daemon = start(`wireguard-${device}`, host.netns, [program, "-f", device])
    running.push(daemon)
    await until("the WireGuard device", daemon.name, 5_000, async () =>
      (await output(host.netns, ["ip", "-br", "link"])).includes(device) ? true : undefined)
    const keyFile = `${folder}/${device}.key`
    writeFileSync(keyFile, `${keys[i]}\n`, { mode: 0o600 })
    run(inside(host.netns, [
      "wg", "set", device, "private-key", keyFile, "listen-port", port, "peer", run(["wg", "pubkey"], keys[other]).trim(),
      "allowed-ips", `10.${net}.0.${other + 1}/32`, "endpoint", `${hosts[other]!.address}:${port}`
    ]))
    run(inside(host.netns, ["ip", "addr", "add", `10.${net}.0.${i + 1}/24`, "dev", device]))
    run(inside(host.netns, ["ip", "link", "set", device, "up"]))
  }
  return { far: `10.${net}.0.2`, running }
}
