/** `gstacks sandbox stop web` */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { patiently, show } from "../../output/view.ts"
import { sandbox } from "../../words.ts"
import { describeState } from "./list.ts"

/** TERM, ten seconds, KILL, and some for the way. */
const stopMs = 30_000

export const stop = Command.make("stop", { sandbox }, Effect.fn(function*({ sandbox }) {
  const api = yield* ControlApi
  const box = yield* api.call((client) => client.sandboxes.stop({ params: { sandbox } }), { timeoutMs: stopMs }).pipe(patiently(`waiting for ${sandbox} to stop`))
  yield* show({ document: box, table: () => `sandbox ${box.name} is ${describeState(box)}\n`, names: () => [box.name] })
})).pipe(Command.withDescription("Stop a sandbox's program: TERM, after ten seconds KILL"), Command.withExamples([{ command: "gstacks sandbox stop web" }]))
