/** Runs one scenario: stop the process on entry of the state, kill, and wait until all is well again, within the documented time. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Ground, type Victim, victimOf } from "./Ground.ts"
import type { Scenario, Tools } from "./Scenario.ts"

const page = readFileSync(join(import.meta.dirname, "../../../docs/supervision.md"), "utf8")
/** The table "Back within" of docs/supervision.md. */
const documented = new Map([...page.matchAll(/^\| `(\w+)` \|.*\| (\d+) s \|$/gm)].map(([, role, seconds]) => [role!, Number(seconds) * 1000]))

const backWithin = (victims: ReadonlyArray<Victim>): number => Math.max(...victims.map(({ role }) => {
  const within = documented.get(role)
  if (within === undefined) throw new Error(`write in docs/supervision.md, "Back within", how long a killed ${role} may take`)
  return within
}))

export interface Recovery {
  readonly state: string
  readonly victims: ReadonlyArray<Victim>
  /** From the kill on. */
  readonly ms: number
}

/** All has to be well again within the documented time from the last kill on, and still be when what goes on from there is over. */
export const run = async (ground: Ground, { after, kill, killsWhatIsThere, prepare, process, provoke, state }: Scenario): Promise<Recovery> => {
  const own = victimOf(process)
  const killed: Array<Victim> = []
  let killedAt = performance.now()
  const tools: Tools = {
    ground, killed,
    kill: (role, host = "") => {
      ground.kill({ role, host })
      killed.push({ role, host })
      killedAt = performance.now()
    }
  }
  await prepare?.(tools)
  ground.arm(process, state)
  const provoked = provoke(tools)
  const stopped = ground.stopped(process, state)
  await Promise.race([stopped, provoked.then(() => stopped)])
  for (const { host, role } of kill ?? [own]) if (killsWhatIsThere !== true || ground.runs({ role, host })) tools.kill(role, host)
  if (kill !== undefined) ground.thaw(process)
  if (killed.length === 0) killedAt = performance.now()
  const goesOn = provoked.catch(() => {}).then(() => after?.(tools)) // what was asked of a killed process may well fail
  const isWell = () => ground.well(process, killed, () => killedAt, backWithin([own, ...killed]))
  const [wentOn, recovered] = await Promise.allSettled([goesOn, isWell()])
  if (wentOn.status === "rejected") throw wentOn.reason // what follows from it would hide it
  if (recovered.status === "rejected") throw recovered.reason
  killedAt = performance.now()
  await isWell()
  return { state, victims: killed, ms: recovered.value }
}
