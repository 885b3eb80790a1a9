/** `gstacks sandbox run <name> [--agent <host>] ... -- <command...>`: starts it detached, and answers once it runs. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { note, patiently, show } from "../../output/view.ts"
import { bindFlags, envFlags, labelFlags, newSandbox, program } from "../../words.ts"
import { programWords } from "./program.ts"

/** The agent may have to fetch nothing, but a cold host is slow to make namespaces. */
const startMs = 60_000

export const run = Command.make("run", {
  name: newSandbox,
  agent: Flag.String("agent").pipe(Flag.withMetavar("<host>"), Flag.withDescription("Agent to run it; default the online one with the fewest sandboxes"), Flag.optional),
  label: labelFlags, env: envFlags, bind: bindFlags,
  replace: Flag.Boolean("replace").pipe(Flag.withDescription("Remove a sandbox of this name first"), Flag.withoutNegation, Flag.withDefault(false)),
  command: program
}, Effect.fn(function*({ name, agent, label, env, bind, replace, command }) {
  const words = yield* programWords(command, `gstacks sandbox run ${name} -- <command...>`)
  const api = yield* ControlApi
  const box = yield* api.call((client) =>
    client.sandboxes.run({
      payload: { name, labels: label, spec: { command: words, env, binds: bind }, replace, ...Option.match(agent, { onNone: () => ({}), onSome: (agent) => ({ agent }) }) }
    }), { timeoutMs: startMs }).pipe(patiently(`waiting for ${name} to start`))
  yield* show({ document: box, table: () => `sandbox ${box.name} (${box.id}) is ${box.state} on ${box.agent}\n`, names: () => [box.name] })
  if (box.networks.length === 0) yield* note(`it is attached to no network; next: gstacks network attach <network> ${box.name}`)
})).pipe(
  Command.withDescription("Start a program in a new sandbox, detached; everything after -- is passed as it is"),
  Command.withExamples([
    { command: "gstacks sandbox run web -- sleep infinity" },
    { command: "gstacks sandbox run backend --agent host-2 --label team=blue --env PORT=8080 -- python3 -m http.server 8080" }
  ])
)
