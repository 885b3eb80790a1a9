/** `gstacks mesh forward dev api:8080 --local 18080`, or `--all`: until Ctrl-C, or with `--background` until `mesh close`. */
import { Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { ForwardStatus } from "../../../protocol/local/MeshRpcs.ts"
import { failed, usage } from "../../Failure.ts"
import { format } from "../../GlobalFlags.ts"
import type { Client } from "../../LocalDaemon/client.ts"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { note, patiently, show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { aliasAndPort, listenFlag, network } from "../../words.ts"
import { environment, exported } from "./forward/environment.ts"
import { type Guarded, guarded, guardFlags, warnings } from "./forward/guard.ts"

const words: Readonly<Record<ForwardStatus["state"], string>> = {
  opening: "is being opened", listening: "listens", denied: "is closed: no rule permits it now", waiting: "is away for a moment",
  refused: "cannot be opened", closed: "is closed"
}
const line = ({ alias, listen, network, port, state }: ForwardStatus): string => `${listen} -> ${alias}.${network}.gstacks:${port} ${words[state]}\n`
const lines = (forwards: ReadonlyArray<ForwardStatus>): string => forwards.map(line).join("")

const isLoopback = (listen: string): boolean => listen.startsWith("unix:") || listen.startsWith("127.") || listen.startsWith("[::1]:")
const flag = (name: string, description: string) => Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withoutNegation, Flag.withDefault(false))

interface Asked {
  readonly network: string
  readonly target: Option.Option<{ readonly alias: ForwardStatus["alias"]; readonly port: ForwardStatus["port"] }>
  readonly listen: Option.Option<string>
  readonly keep: boolean
}

/** What there is to tell, first and at each change, and how to end it. */
const forwarding = (daemon: Client, { keep, listen, network, target }: Asked, { guard }: Guarded) => Option.match(target, {
  onNone: () => daemon.forwardAll({ network, keep }),
  onSome: (one) => Stream.map(daemon.forward({ network, ...one, listen: Option.getOrNull(listen), keep, guard }), (state): ReadonlyArray<ForwardStatus> => [state])
})

const ended = (network: string) => failed("forward-lost", "The forward has ended", `the forward into ${network} has ended: the network was left, or the background process ended`, "gstacks mesh status")

const tellOnce = ([first, ...more]: ReadonlyArray<ForwardStatus>, { network, target }: Asked, guard: Guarded) => Effect.gen(function*() {
  if (first === undefined) return yield* note(`the policy lets you reach nothing in ${network} now; what it permits later is forwarded then`)
  for (const each of [...warnings(first.listen, guard), ...(Option.isNone(target) && more.length > 0 ? ["revoked ones are closed, and what is permitted later appears"] : [])]) yield* note(each)
})

const background = (daemon: Client, asked: Asked, guard: Guarded, withEnvironment: boolean) => Effect.gen(function*() {
  const [opened] = yield* Stream.runCollect(Stream.take(forwarding(daemon, asked, guard), 1)).pipe(patiently(`opening what ${asked.network} permits`))
  if (opened === undefined) return yield* ended(asked.network)
  if (withEnvironment) {
    const variables = [...environment(opened.filter(({ state }) => state === "listening")), ...(guard.token === null ? [] : environment(opened).slice(0, 1).map(([name]) => [name.replace(/_[A-Z]+$/, "_TOKEN"), guard.token!] as const))]
    yield* show({ document: Object.fromEntries(variables), table: () => exported(variables), names: () => variables.map(([name]) => name) })
  } else {
    const document = Option.isNone(asked.target) ? opened : opened[0]
    yield* show({ document, table: () => lines(opened), names: () => opened.map(({ id }) => id) })
  }
  yield* tellOnce(opened, asked, guard)
  yield* note(`to end it: gstacks mesh close ${Option.isNone(asked.target) ? `${asked.network}/all` : opened[0]!.id}`)
})

const foreground = (daemon: Client, asked: Asked, guard: Guarded) => Effect.gen(function*() {
  const { out } = yield* Shell
  const asText = (yield* format) === "table"
  const before = new Map<string, string>()
  let told = false
  yield* Stream.runForEach(forwarding(daemon, asked, guard), (states) => Effect.gen(function*() {
    const news = states.filter((state) => before.get(state.id) !== line(state))
    for (const state of news) before.set(state.id, line(state))
    yield* out(asText ? lines(news) : news.map((state) => `${JSON.stringify(state)}\n`).join(""))
    if (told) return
    told = true
    yield* tellOnce(states, asked, guard)
    yield* note("until Ctrl-C")
  }))
  return yield* ended(asked.network)
})

export const forward = Command.make("forward", {
  network, target: Argument.optional(aliasAndPort), listen: Flag.optional(listenFlag),
  all: flag("all", "Forward whatever the policy lets you reach in the network, now and later"),
  env: flag("env", "Print variables that tell where it listens, for eval \"$(...)\"; implies --background"),
  background: flag("background", "Come back at once; mesh close ends it"),
  ...guardFlags,
  expose: flag("expose", "Listen where others can reach it; needs --expose-to-everyone too"),
  everyone: flag("expose-to-everyone", "Yes, whoever reaches this machine uses your right")
}, Effect.fn(function*({ network, target, listen, all, env, background: keep, hosts, withToken, expose, everyone }) {
  if (all === Option.isSome(target)) return yield* usage("say what to forward: either an alias and port, or --all", `gstacks mesh forward ${network} api:8080, or gstacks mesh forward ${network} --all`)
  if (all && (Option.isSome(listen) || hosts.length > 0 || withToken)) return yield* usage("--local, --host-header and --guard-token are of one forward, not of --all", `gstacks mesh forward ${network} --all`)
  const at = Option.getOrElse(listen, () => "127.0.0.1:0")
  if (!isLoopback(at) && !(expose && everyone)) {
    const what = Option.match(target, { onNone: () => network, onSome: ({ alias, port }) => `${alias}:${port}` })
    return yield* usage(`at ${at} whoever reaches this machine would use your right to ${what}`,
      `listen on the loopback (--local ${at.slice(at.lastIndexOf(":") + 1)}), or say so twice: --expose --expose-to-everyone`)
  }
  const guard = guarded(hosts, withToken)
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* (yield* LocalDaemon).needed(network)
    const asked: Asked = { network, target, listen, keep: keep || env }
    yield* asked.keep ? background(daemon, asked, guard, env) : foreground(daemon, asked, guard)
  }))
})).pipe(
  Command.withDescription("Forward a local address to an alias and port, while a rule permits it"),
  Command.withExamples([
    { command: "gstacks mesh forward dev api:8080 --local 18080" },
    { command: "gstacks mesh forward dev web:8080 --local 18080 --host-header 127.0.0.1" },
    { command: "gstacks mesh forward dev postgres:5432 --local unix:/tmp/pg.sock --background" },
    { command: "eval \"$(gstacks mesh forward dev --all --env)\"" }
  ])
)
