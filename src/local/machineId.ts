/** The id that this machine chose, for its user, the first time it was asked. It says nothing of the machine, and is no secret. */
import { Effect, Option } from "effect"
import { join } from "node:path"
import { machineState } from "../actors/machines/localJoin.ts"
import { load, orDropped, store } from "../agent/files.ts"
import { MachineId, makeId } from "../domain/Ids.ts"
import { Places } from "./Places.ts"

export const machineId = Effect.gen(function*() {
  const file = join((yield* Places).stateDir, "machine.json")
  const known = yield* orDropped(load(file, machineState))
  if (Option.isSome(known)) return known.value.machineId
  const machineId = yield* makeId(MachineId, "mch")
  yield* store(file, machineState, { machineId })
  return machineId
})
