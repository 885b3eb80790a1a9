/** One run: a cluster, a schedule, everything put right again, and what the invariants say of it. The same seed and schedule give the same journal, byte for byte. */
import { setTimeout as delay } from "node:timers/promises"
import { inflict, putRight } from "./faults.ts"
import { complaints, violations } from "./invariants.ts"
import { describe, type Schedule, scheduleFor } from "./schedule.ts"
import { type Mutant, World } from "./World.ts"

export interface Outcome {
  readonly seed: number
  readonly schedule: Schedule
  /** Empty: all is well. */
  readonly problems: ReadonlyArray<string>
  readonly journal: string
}

/** When the cluster is looked at after everything has been put right; the last is how long it may take. A mesh is left after a minute. */
const looksMs = [3000, 8000, 20_000, 40_000, 66_000, 120_000, 240_000]
const shutdownMs = 60_000
/** The SQL client gives up an interrupted statement after 5 s of the real clock. */
const clientTimeoutMs = 6000

export const run = async (seed: number, schedule: Schedule = scheduleFor(seed), mutant: Mutant = {}): Promise<Outcome> => {
  const world = await World.make(seed, mutant)
  const { journal } = world
  const problems = await played(world, schedule).catch((error: unknown) => [String(error)])
  for (const problem of problems) journal.note("problem", problem)
  return { seed, schedule, problems, journal: journal.text }
}

const played = async (world: World, schedule: Schedule): Promise<ReadonlyArray<string>> => {
  const { time, journal } = world
  await world.begin()
  const begun = time.now
  for (const step of schedule) {
    await time.run(begun + step.at)
    journal.note("schedule", describe(step).trim())
    if ("op" in step.action) world.ask(step.number, step.action)
    else inflict(world, step.action)
  }
  return [...await recovered(world, schedule), ...await violations(world, schedule), ...await leftAfterwards(world)]
}

const recovered = async (world: World, schedule: Schedule): Promise<ReadonlyArray<string>> => {
  const { time, journal } = world
  await time.run(time.now + 500)
  journal.note("schedule", "everything is put right")
  putRight(world)
  const right = time.now
  let found: ReadonlyArray<string> = []
  for (const look of looksMs) {
    await time.run(right + look)
    found = await complaints(world, schedule)
    if (found.length === 0) break
  }
  journal.note("schedule", found.length === 0 ? "all is well" : "it does not recover")
  return found
}

/** Once every process has stopped in order, nothing may be left of any. */
const leftAfterwards = async (world: World): Promise<ReadonlyArray<string>> => {
  const { time, network, fibers, hosts } = world
  let stopping = hosts.size + 1
  const ended = () => { stopping-- }
  for (const host of hosts.values()) {
    if (host.process === undefined) ended()
    else host.process.stop(ended)
  }
  world.control!.process.stop(ended)
  const isOver = () => stopping === 0 && fibers.running === 0
  await time.run(time.now + shutdownMs, isOver)
  for (const until = Date.now() + clientTimeoutMs; !isOver() && Date.now() < until; await time.settle()) await delay(50)
  await time.run(time.now + 1000) // what others were asked for by then
  const left = { "processes that do not stop": stopping, fibers: fibers.running, timers: time.timers, connections: network.openConnections, "connections to meshd": [...hosts.values()].reduce((sum, host) => sum + host.meshd.connections, 0) }
  return Object.entries(left).filter(([, count]) => count > 0).map(([what, count]) => `left when all is stopped: ${count} ${what}`)
}
