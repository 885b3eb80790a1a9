/** Sandboxes on host-3 that start, end, fail, or lose their shim. */
import { eventually } from "../../e2e/fixture.ts"
import type { Ground } from "./Ground.ts"
import type { Scenario, Tools } from "./Scenario.ts"

const name = "fleeting"
const run = ({ fixture }: Ground, command: ReadonlyArray<string>, binds: ReadonlyArray<unknown> = []) =>
  fixture.api("POST", "/sandboxes", { name, agent: "host-3", labels: {}, replace: false, spec: { command, env: {}, binds } })
const remove = ({ ground: { fixture } }: Tools) => fixture.api("DELETE", `/sandboxes/${name}`)

/** Whatever has become of it: it can be removed, and then nothing of it is left. */
const gone = async (tools: Tools) => {
  const { cluster } = tools.ground.fixture
  await eventually(`sandbox ${name} can be removed`, async () => [200, 404].includes((await remove(tools)).status), 20_000)
  await eventually(`the shim of ${name} is gone`, () => cluster.pid("shim", name) === undefined, 20_000)
}

const scenario = (state: string, provoke: Scenario["provoke"], more: Partial<Scenario> = {}): Scenario => ({ state: `sandbox.${state}`, process: "host-3", provoke, after: gone, ...more })
/** One that is not begun enters no state. */
const begins = (command: ReadonlyArray<string>) => async ({ ground }: Tools) => {
  const { body, status } = await run(ground, command)
  if (status !== 201) throw new Error(`the sandbox was not begun: ${status} ${JSON.stringify(body)}`)
}
const sleeps = begins(["sleep", "1000"])
const ends = begins(["true"])
const cannotStart = ({ ground }: Tools) => run(ground, ["true"], [{ source: "/nonexistent", target: "/mnt", writable: false }])
const shim = { kill: [{ role: "shim", host: name }] } as const

export const ofSandboxes: ReadonlyArray<Scenario> = [
  scenario("preparing.launching", sleeps),
  scenario("preparing.admitting", sleeps), scenario("preparing.admitting", sleeps, shim),
  scenario("running", sleeps, shim),
  scenario("stopping", remove, { prepare: sleeps }), scenario("stopping", remove, { prepare: sleeps, ...shim }),
  scenario("stopped", remove, { prepare: sleeps }),
  scenario("judging", ends),
  scenario("abandoning", cannotStart), scenario("failed", cannotStart)
]
