/** `gstacks sandbox remove web` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { showChange } from "../../Changes.ts"
import { confirm } from "../../confirm.ts"
import { ControlApi } from "../../ControlApi.ts"
import { patiently } from "../../output/view.ts"
import { sandbox } from "../../words.ts"

const removeMs = 30_000

export const remove = Command.make("remove", { sandbox }, Effect.fn(function*({ sandbox }) {
  yield* confirm(`this stops and removes sandbox ${sandbox}, with its aliases and their rules in every network`, `gstacks sandbox remove ${sandbox}`)
  const api = yield* ControlApi
  const { value, changes } = yield* api.call((client) => client.sandboxes.remove({ params: { sandbox } }), { timeoutMs: removeMs }).pipe(patiently(`waiting for ${sandbox} to stop`))
  yield* showChange({ value, changes, several: true, name: value.name, said: `sandbox ${value.name} (${value.id}) removed` })
})).pipe(
  Command.withDescription("Stop and remove a sandbox, with its aliases and logs; its name is free again"),
  Command.withExamples([{ command: "gstacks sandbox remove web --yes" }])
)
