/**
 * All packets of a cluster, from the first on: its network is made by iproute2, so an `ip` of ours, found before the machine's own,
 * starts a capture in each namespace and waits until it has begun, before that namespace's cable comes up. It ends with the cluster.
 */
import { assert } from "@effect/vitest"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const program = join(import.meta.dirname, "capture.py")

const ip = (folder: string, path: string) => `#!/bin/sh
case "$*" in
  "link set cluster up") name=control enter= ;;
  "-n "*" link set eth0 up") name=$2 enter="nsenter --net=/run/netns/$2" ;;
  *) name= ;;
esac
if [ -n "$name" ]; then
  $enter python3 ${program} </dev/null >${folder}/$name 2>&1 &
  until grep -q capturing ${folder}/$name; do sleep 0.01; done
fi
PATH=${path}:/usr/sbin:/sbin exec ip "$@"
`

export class Capture {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(join(folder, "bin"), { recursive: true })
  }

  /** What the starter of the cluster must run with. */
  environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const bin = join(this.#folder, "bin"), seen = join(this.#folder, "seen")
    mkdirSync(seen)
    writeFileSync(join(bin, "ip"), ip(seen, env["PATH"] ?? ""), { mode: 0o755 })
    return { ...env, PATH: `${bin}:${env["PATH"]}` }
  }

  /** In the namespace of each of `hosts` and of the control plane (`control`) there was traffic, and none but the bridge's. */
  assertSilence(hosts: ReadonlyArray<string>): void {
    const seen = join(this.#folder, "seen")
    assert.deepStrictEqual(readdirSync(seen).sort(), ["control", ...hosts])
    for (const host of readdirSync(seen)) {
      const [first, ...packets] = readFileSync(join(seen, host), "utf8").trimEnd().split("\n")
      assert.strictEqual(first, "capturing", host)
      assert.isAbove(packets.length, 50, host)
      assert.deepStrictEqual(packets.filter((line) => !/^(ip 10\.99\.0\.\d+ 10\.99\.0\.\d+ \d+|arp 10\.99\.0\.\d+ 10\.99\.0\.\d+)$/.test(line)), [], host)
    }
  }
}
