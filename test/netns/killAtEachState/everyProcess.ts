/**
 * Each scenario once more for every other process that there is to kill while the machine is in that state: the control plane,
 * Headscale, the agent, meshd and a sandbox's shim of the host that it is about, and a developer's own meshd. Takes about a quarter of an hour: `npm run kill-all`.
 */
import { eventually } from "../../e2e/fixture.ts"
import { hostOf, laptop, type Victim, victimOf } from "./Ground.ts"
import type { Scenario, Tools } from "./Scenario.ts"

/** A sandbox that is there to lose its shim. */
const passerBy = "passer-by"
const arrive = (agent: string) => ({ ground: { fixture } }: Tools) =>
  fixture.api("POST", "/sandboxes", { name: passerBy, agent, labels: {}, replace: true, spec: { command: ["sleep", "100000"], env: {}, binds: [] } })
const leave = async ({ ground: { fixture } }: Tools) => {
  await eventually("the sandbox that lost its shim has failed", async () => {
    const { body, status } = await fixture.api("GET", `/sandboxes/${passerBy}`)
    return status === 200 && body.state === "failed"
  }, 20_000)
  await fixture.api("DELETE", `/sandboxes/${passerBy}`)
}

const answers = ({ ground: { fixture } }: Tools) => eventually("the API answers", () => fixture.api("GET", "/agents").then(({ status }) => status === 200, () => false), 30_000)

/** All that is not the scenario's own process. */
const others = (process: string): ReadonlyArray<Victim> => {
  const own = victimOf(process)
  const host = hostOf(process)
  const last: Victim = process === laptop ? { role: "meshd", host: laptop } : { role: "shim", host: passerBy }
  const all: ReadonlyArray<Victim> = [{ role: "control", host: "" }, { role: "headscale", host: "" }, { role: "agent", host }, { role: "meshd", host }, last]
  return all.filter(({ role }) => role !== own.role)
}

const isCovered = (scenarios: ReadonlyArray<Scenario>, { process, state }: Scenario, { host, role }: Victim): boolean =>
  scenarios.some((other) => other.state === state && other.process === process && other.kill?.some((victim) => victim.role === role && (role === "shim" || victim.host === host)))

export const withEveryOther = (scenarios: ReadonlyArray<Scenario>): ReadonlyArray<Scenario> => scenarios.filter(({ kill }) => kill === undefined).flatMap((scenario) =>
  others(scenario.process).filter((victim) => !isCovered(scenarios, scenario, victim)).map((victim): Scenario => {
    const isShim = victim.role === "shim"
    return {
      ...scenario, kill: [victim], killsWhatIsThere: true,
      prepare: async (tools) => {
        await answers(tools) // where the one before has failed, too
        if (isShim) await arrive(hostOf(scenario.process))(tools)
        await scenario.prepare?.(tools)
      },
      after: async (tools) => {
        tools.ground.letGo("control") // some scenarios hold it
        await answers(tools)
        await scenario.after?.(tools)
        if (isShim) await leave(tools)
      }
    }
  }))
