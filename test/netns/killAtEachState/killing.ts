/** The tests of one place: each scenario, then with KILL_ALL each once more for every other process, then that nothing is left over. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Array as Arr } from "effect"
import { withEveryOther } from "./everyProcess.ts"
import { Ground } from "./Ground.ts"
import type { Place } from "./places.ts"
import { type Recovery, run } from "./run.ts"
import type { Scenario } from "./Scenario.ts"

const killed = ({ kill }: Scenario): string => kill === undefined ? "" : `, killing ${kill.map(({ host, role }) => `${role} ${host}`.trim()).join(" and ") || "nobody"}`
const nameOf = (scenario: Scenario): string => `${scenario.state} on ${scenario.process}${killed(scenario)}`
/** KILL_ONLY: those alone whose name has this in it. */
export const isWanted = (scenario: Scenario): boolean => nameOf(scenario).includes(process.env["KILL_ONLY"] ?? "")

const inSeconds = ({ ms }: Recovery): string => `${(ms / 1000).toFixed(1)} s`
/** How long it took until all was well again, by who was killed. */
const summary = (recoveries: ReadonlyArray<Recovery>): string => {
  const byVictims = Arr.groupBy(recoveries, ({ victims }) => [...new Set(victims.map(({ role }) => role))].sort().join(" and ") || "nobody")
  return Object.entries(byVictims).map(([who, all]) => {
    const bySpeed = [...all].sort((a, b) => a.ms - b.ms)
    const [median, slowest] = [bySpeed[bySpeed.length >> 1]!, bySpeed.at(-1)!]
    return `${who} killed in ${all.length} scenarios: all well after ${inSeconds(median)} (median), ${inSeconds(slowest)} at the most (${slowest.state})`
  }).join("\n")
}

/** One after the other; answers all that went wrong, not only the first. */
const inOrder = async (ground: Ground, recoveries: Array<Recovery>, scenarios: ReadonlyArray<Scenario>, tell: (line: string) => void = () => {}): Promise<ReadonlyArray<string>> => {
  const failures: Array<string> = []
  for (const scenario of scenarios.filter(isWanted)) {
    const what = nameOf(scenario)
    await run(ground, scenario).then((recovery) => {
      recoveries.push(recovery)
      tell(recovery.victims.length === 0 ? `${what}: nobody was there` : what)
    }, (error: Error) => {
      failures.push(`${what}: ${error.message}`)
      tell(failures.at(-1)!)
      ground.letGo(scenario.process)
    })
  }
  return failures
}

/** `more`: tests between the kills and the end. */
export const killing = ({ clear, hosts, lanes, last, prepare, whom }: Place, more: (ground: () => Ground) => void = () => {}) => describe(`kill -9 in each state of ${whom}`, () => {
  let ground: Ground
  const recoveries: Array<Recovery> = []
  beforeAll(async () => {
    ground = await Ground.start(hosts)
    await prepare(ground)
  }, 180_000)
  afterAll(async () => {
    console.log(summary(recoveries))
    await ground?.stop()
  }, 60_000)

  it("and all is well within the documented time", async () => {
    assert.strictEqual((await Promise.all(lanes.map((lane) => inOrder(ground, recoveries, lane)))).flat().join("\n"), "")
  }, 900_000)

  if (process.env["KILL_ALL"] === "1") it("of every other process, too", async () => {
    assert.strictEqual((await inOrder(ground, recoveries, withEveryOther(lanes.flat()), console.log)).join("\n"), "")
  }, 3_600_000)

  more(() => ground)

  it("and nothing is left over", async () => {
    await clear(ground)
    if (last !== undefined) assert.strictEqual((await inOrder(ground, recoveries, [last])).join("\n"), "")
    await ground.leftovers.none()
  }, 90_000)
})
