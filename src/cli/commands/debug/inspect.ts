/** `gstacks debug inspect [--agent host-1] [--for 1h]`: prints the address of the inspector page, with a short-lived token in its fragment. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { answers } from "../../answers.ts"
import { ControlApi } from "../../ControlApi.ts"
import { failed, usage } from "../../Failure.ts"
import { LocalAgent } from "../../LocalAgent.ts"
import { note, show } from "../../output/view.ts"
import { durationFlag } from "../../words.ts"

const agentFlag = Flag.String("agent").pipe(Flag.withMetavar("<host>"), Flag.withDescription("Only this agent, by itself; it has to be on this machine"), Flag.optional)

/** A browser never sends the fragment to anyone; the page takes the token from there and removes it. */
const page = (origin: string, token: string): string => `${origin.replace(/\/+$/, "")}/inspector/#token=${token}`

const ofCluster = Effect.fnUntraced(function*(forMs: number) {
  const { call, target } = yield* ControlApi
  const { url } = yield* target
  if (!/^https?:/.test(url)) return yield* usage(`a browser cannot open ${url}`, "gstacks debug inspect --url http://127.0.0.1:7070")
  const { secret, token } = yield* call((client) => client.tokens.create({ payload: { kind: "inspector", name: "inspector", ttlSeconds: Math.ceil(forMs / 1000) } }))
  return { url: page(url, secret), expiresAt: token.expiresAt }
})

/** An agent in a network namespace of its own, as in the disposable cluster, listens on another loopback. */
const isReached = (url: string): Effect.Effect<boolean> => {
  const { hostname, port } = new URL(url)
  return answers({ host: hostname, port: Number(port) })
}

const ofAgent = (agent: string, forMs: number) => Effect.scoped(Effect.gen(function*() {
  const { at, sockets } = yield* LocalAgent
  const socket = (yield* sockets)[agent]
  if (socket === undefined) return yield* failed("agent-not-here", "The agent is on another machine", `the socket of ${agent} is not on this machine`, `run the command on ${agent}, or see the whole cluster: gstacks debug inspect`)
  const { url, token, expiresAt } = yield* (yield* at(socket)).inspect(forMs)
  if (!(yield* isReached(url))) yield* note(`${agent} has a network of its own, and its loopback cannot be reached from here; the whole cluster: gstacks debug inspect`)
  return { url: page(url, token), expiresAt: new Date(expiresAt).toISOString() }
}))

export const inspect = Command.make("inspect", { agent: agentFlag, for: durationFlag("for", "How long it is open", "1h").pipe(Flag.withDefault(3_600_000)) }, Effect.fn(function*({ agent, for: forMs }) {
  const opened = yield* Option.match(agent, { onNone: () => ofCluster(forMs), onSome: (name) => ofAgent(name, forMs) })
  yield* show({ document: opened, table: () => `${opened.url}\n`, names: () => [opened.url] })
  yield* note(`until ${opened.expiresAt}; whoever has this address can look at every actor, and do nothing else`)
})).pipe(
  Command.withDescription("Open the inspector page: print its address, which holds a token"),
  Command.withExamples([{ command: "gstacks debug inspect" }, { command: "gstacks debug inspect --agent host-1 --for 10m" }])
)
