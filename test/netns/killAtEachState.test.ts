/**
 * kill -9 of each process in each state of each machine, or of the process that the machine is about, while it is in that state: the
 * world's first process starts it again, all is well within the documented time (docs/supervision.md, "Back within"), and nothing is
 * left over. killAgents, killControl and killDeveloper do it; here is that no state is left out, and what needs no cluster.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { AnyStateNode } from "xstate"
import { allMachines } from "../harness/allMachines.ts"
import { withEveryOther } from "./killAtEachState/everyProcess.ts"
import { isWanted } from "./killAtEachState/killing.ts"
import { agents, control, developer, scenariosOf } from "./killAtEachState/places.ts"
import { killedWithoutDatabase, state as waitingForDatabase } from "./killAtEachState/withoutDatabase.ts"

const dist = join(import.meta.dirname, "../../dist")
const everyScenario = [agents, control, developer].flatMap(scenariosOf)

const innermost = (node: AnyStateNode): ReadonlyArray<string> => {
  const children: ReadonlyArray<AnyStateNode> = Object.values(node.states)
  return children.length === 0 ? [node.path.join(".")] : children.flatMap(innermost)
}

describe("kill -9 in each state", () => {
  it("has a scenario for each", async () => {
    const states = (await allMachines()).flatMap(({ machine }) => innermost(machine.root).map((state) => `${machine.id}.${state}`))
    const covered = new Set(everyScenario.map(({ state }) => state)).add(waitingForDatabase)
    assert.isNotEmpty(withEveryOther(everyScenario).concat(everyScenario).filter(isWanted), "no scenario's name has KILL_ONLY in it")
    assert.deepStrictEqual([...covered].sort(), [...states].sort(), "write a scenario in test/netns/killAtEachState for each state of each machine")
  })

  it("is in no bundle of the product", () => {
    const product = readdirSync(dist).filter((name) => name.endsWith(".mjs"))
    assert.includeMembers(product, ["agent.bundle.mjs", "control.bundle.mjs", "local.bundle.mjs"])
    for (const name of product) assert.notInclude(readFileSync(join(dist, name), "utf8"), "GSTACKS_PAUSES", name)
  })

  it("of a control plane without its database", () => Effect.runPromise(Effect.map(killedWithoutDatabase, (networks) => assert.deepStrictEqual(networks, ["kept"]))), 60_000)
})
