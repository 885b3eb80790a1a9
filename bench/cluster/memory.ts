/** Resident memory of the daemons in a whole cluster: idle with one network, and what a thousand allowed aliases add. */
import { setTimeout as delay } from "node:timers/promises"
import { residentBytes } from "../world/processes.ts"
import { below, product, type Aim, type Figure } from "../figures.ts"
import { Story, type Changed } from "./Story.ts"

/** After the last change; caches and garbage have settled then. */
const settleMs = 10_000
const aliases = 1000

export const clusterMemory = async (found: (figure: Figure) => void): Promise<void> => {
  await using story = await Story.begin(2)
  const hosts = ["host-1", "host-2"]
  const resident = (role: string, on: ReadonlyArray<string>): ReadonlyArray<number> => on.map((host) => {
    const pid = story.cluster.pid(role, host)
    if (pid === undefined) throw new Error(`${role} of ${host} does not run`)
    return residentBytes(pid) / 1e6
  })
  const figure = (what: string, samples: ReadonlyArray<number>, aim?: Aim): void =>
    found({ row: "cluster-memory", what, unit: "MB", ours: { name: product, samples }, references: [], foreignLoad: [], ...(aim === undefined ? {} : { aim }) })

  await story.applied((await story.allow()).change.version)
  await delay(settleMs)
  const idle = { agent: resident("agent", hosts), meshd: resident("meshd", hosts) }
  figure("agent, idle, one network", idle.agent, below(110))
  figure("meshd, idle, one network", idle.meshd, below(30))
  figure("control plane, idle", resident("control", ["control"]))
  figure("headscale, idle", resident("headscale", ["control"]))

  let last = 0
  for (let i = 0; i < aliases; i++) {
    await story.api("POST", "networks/bench/aliases", { sandbox: "server", alias: `svc-${i}`, ports: [8080] })
    const rule = await story.api<Changed<unknown>>("POST", "networks/bench/rules", { from: "sandbox:client", to: `svc-${i}`, port: 8080 })
    last = rule.change.version
  }
  await story.applied(last)
  await delay(settleMs)
  const more = (now: ReadonlyArray<number>, before: ReadonlyArray<number>): ReadonlyArray<number> => now.map((n, i) => n - before[i]!)
  figure("agent, per 1,000 aliases and rules", more(resident("agent", hosts), idle.agent), below(10))
  figure("meshd, per 1,000 aliases and rules", more(resident("meshd", hosts), idle.meshd), below(10))

  // A fresh process holds what it needs and none of what two thousand changes left behind.
  for (const role of ["agent", "meshd"]) for (const host of hosts) story.cluster.kill(role, host)
  await story.answering(60_000)
  await delay(settleMs)
  figure("agent, per 1,000 aliases and rules, after its restart", more(resident("agent", hosts), idle.agent))
  figure("meshd, per 1,000 aliases and rules, after its restart", more(resident("meshd", hosts), idle.meshd))
}
