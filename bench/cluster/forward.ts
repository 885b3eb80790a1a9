/**
 * A forward from a developer's machine to a sandbox, against `ssh -L` to a server on that sandbox's host, and against a direct connection to it.
 * Interleaved: in each round each of them takes each measurement once, and who begins moves on by one.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "../../test/e2e/fixture.ts"
import { Laptop, type User } from "../../test/harness/Laptop.ts"
import { product, type Figure, type Series } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { binaries } from "../tools.ts"
import { Client } from "./Client.ts"
import { Story } from "./Story.ts"

const patienceMs = 20_000
const loadgen = `${binaries}/loadgen`
/** The host of the server, as the bridge knows it. */
const host = "10.99.0.12"
const ssh = "ssh -L", direct = "direct, no encryption"
const places: Readonly<Record<string, string>> = { [product]: "127.0.0.1:18080", [ssh]: "127.0.0.1:18081", [direct]: `${host}:9100` }

interface Reading { readonly gigabitsPerSecond: number; readonly p50Micros: number }
const read = async (user: User, ...args: ReadonlyArray<string>): Promise<Reading> => {
  const { code, stderr, stdout } = await user.exec(loadgen, ...args)
  if (code !== 0) throw new Error(`loadgen ${args.join(" ")}: ${stderr}`)
  return JSON.parse(stdout)
}

const measurements = [
  { what: "throughput, 1 stream", unit: "Gb/s", take: async (user: User, at: string) => (await read(user, "tput", "-streams", "1", "-addr", at, "-seconds", "1.5")).gigabitsPerSecond },
  { what: "connect to first byte, median", unit: "us", take: async (user: User, at: string) => (await read(user, "conn", "-workers", "1", "-addr", at, "-seconds", "1.5")).p50Micros }
]

/** A program that goes on beside the cluster's own until the cluster ends. */
const goOn = (story: Story, where: ReadonlyArray<string>, ...command: ReadonlyArray<string>): void => {
  spawn(story.program, [...where, ...command], { env: story.cluster.env, stdio: "ignore" }).unref()
}

/** A server at the host for the direct way, and ssh's two ends. */
const startRivals = async (story: Story, laptop: Laptop): Promise<void> => {
  const [key, hostKey, passwd] = ["key", "hostKey", "passwd"].map((name) => join(laptop.folder, name)) as [string, string, string]
  writeFileSync(passwd, `me:x:1000:1000::${laptop.folder}:/bin/sh\n`)
  for (const each of [key, hostKey]) await once(spawn("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", each], { stdio: "inherit" }), "exit")
  goOn(story, ["dev", "exec", "host-2", "--"], loadgen, "serve", "-addr", `${host}:9100`)
  const settings = ["UsePAM no", "StrictModes no", `AuthorizedKeysFile ${key}.pub`, `HostKey ${hostKey}`, `ListenAddress ${host}:2222`, "PidFile none"]
  // As root it would want users of its own, which the cluster's world does not have.
  const asMe = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1000", "--gid", "1000", "--ro-bind", passwd, "/etc/passwd", "--"]
  goOn(story, ["dev", "exec", "host-2", "--"], ...asMe, "/usr/sbin/sshd", "-D", "-f", "/dev/null", ...settings.flatMap((setting) => ["-o", setting]))
  const client = ["-N", "-i", key, "-p", "2222", "-L", `${places[ssh]}:${places[direct]}`, ...["StrictHostKeyChecking no", "UserKnownHostsFile /dev/null"].flatMap((option) => ["-o", option])]
  goOn(story, ["dev", "exec", "control", "--", "nsenter", "--net=/run/netns/laptop"], "sh", "-c", "until \"$@\"; do sleep 0.1; done", "ssh", "ssh", ...client, `me@${host}`)
}

const openStreams = [1, 100]
const revocations = 30

/** How long from the request until the developer's program has seen its last stream broken off. */
const revocation = async (story: Story, user: User, streams: number): Promise<ReadonlyArray<number>> => {
  using client = new Client(story, user.words(loadgen, "hold", "-addr", places[product]!, "-streams", String(streams)))
  const samples: Array<number> = []
  for (let i = 0; i < revocations; i++) {
    const rule = await story.allow("local")
    await client.next() // open
    const asked = Date.now()
    await story.revoke(rule.value.id)
    samples.push((await client.next()).last! - asked)
  }
  return samples
}

export const forward = async (found: (figure: Figure) => void, rounds: number): Promise<void> => {
  await using story = await Story.begin(2)
  const laptop = await Laptop.start(story.cluster)
  try {
    const user = laptop.as("ann", story.cluster.token)
    const rule = await story.allow("local")
    await story.applied(rule.change.version)
    for (const command of ["mesh join bench", "mesh forward bench api:8080 --local 18080 --background"]) {
      const { code, stderr } = await user.gstacks(command)
      if (code !== 0) throw new Error(`gstacks ${command}: ${stderr}`)
    }
    await startRivals(story, laptop)
    const names = Object.keys(places)
    for (const name of names) await eventually(`${name} answers`, async () => (await user.exec(loadgen, "conn", "-addr", places[name]!, "-seconds", "0")).code === 0, 60_000)
    for (const { take, unit, what } of measurements) {
      const samples = new Map<string, Array<number>>(names.map((name) => [name, []]))
      const load = new ForeignLoad(patienceMs)
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < names.length; i++) {
          const name = names[(round + i) % names.length]!
          await load.quiet()
          samples.get(name)!.push(await take(user, places[name]!))
        }
      }
      const series = (name: string): Series => ({ name, samples: samples.get(name)! })
      found({ row: "forward", what, unit, ours: series(product), rival: series(ssh), references: [series(direct)], foreignLoad: load.samples })
    }
    await story.revoke(rule.value.id)
    for (const streams of openStreams) {
      const samples = await revocation(story, user, streams)
      for (const at of [0.5, 0.99]) {
        found({ row: "forward", what: `request -> last stream broken (developer), ${streams} open, ${at === 0.5 ? "median" : "p99"}`, unit: "ms", at, ours: { name: product, samples }, references: [], foreignLoad: [] })
      }
    }
  } finally {
    laptop.remove()
  }
}
