/** `gstacks debug actors [--agent host-1]`: the agent's supervision tree with the state of every actor. */
import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { LocalAgent } from "../../LocalAgent.ts"
import { table } from "../../output/table.ts"
import { show } from "../../output/view.ts"

export const agentFlag = Flag.String("agent").pipe(Flag.withMetavar("<host>"), Flag.withDescription("Agent on this machine; default the only one"), Flag.optional)

interface Actor { readonly address: string }

/** Depth and own name by the addresses alone: a parent comes before its children, and an id may itself hold a slash. */
export const outline = (actors: ReadonlyArray<Actor>): ReadonlyArray<string> => {
  const open: Array<string> = []
  return actors.map(({ address }) => {
    while (open.length > 0 && !address.startsWith(`${open.at(-1)}/`)) open.pop()
    const parent = open.at(-1)
    const line = "  ".repeat(open.length) + (parent === undefined ? address : address.slice(parent.length + 1))
    open.push(address)
    return line
  })
}

export const age = (ms: number): string => {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 120) return `${s} s`
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}

export const actors = Command.make("actors", { agent: agentFlag }, Effect.fn(function*({ agent }) {
  const found = yield* Effect.scoped(Effect.flatMap(LocalAgent, (local) => Effect.flatMap(local.named(Option.getOrUndefined(agent)), (client) => client.actors)))
  const now = yield* Clock.currentTimeMillis
  const names = outline(found)
  yield* show({
    document: found,
    table: () =>
      table([
        ["ACTOR", ([name]) => name], ["STATE", ([, a]) => a.state], ["FOR", ([, a]) => age(now - a.since)], ["RESTARTS", ([, a]) => a.restarts],
        ["MAILBOX", ([, a]) => a.mailbox], ["MACHINE", ([, a]) => a.machine ?? a.kind], ["LAST ERROR", ([, a]) => a.lastError]
      ], found.map((actor, i) => [names[i]!, actor] as const)),
    names: () => found.map((actor) => actor.address)
  })
})).pipe(
  Command.withDescription("Show an agent's supervision tree and the state of every actor"),
  Command.withExamples([{ command: "gstacks debug actors --agent host-1" }])
)
