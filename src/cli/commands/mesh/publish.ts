/** `gstacks mesh publish dev laptop-api --local 3000 --for 1h`: a port of this machine as an alias, for a time. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { longestSeconds } from "../../../domain/Publication.ts"
import { usage } from "../../Failure.ts"
import { LocalDaemon } from "../../LocalDaemon.ts"
import { note, patiently, show } from "../../output/view.ts"
import { aliasAndMaybePort, durationFlag, localPortFlag, network } from "../../words.ts"

const hourMs = 3_600_000

export const publish = Command.make("publish", {
  network, target: aliasAndMaybePort, local: localPortFlag, lasting: durationFlag("for", "How long", "1h").pipe(Flag.withDefault(hourMs))
}, Effect.fn(function*({ lasting, local, network, target: { alias, port = local } }) {
  const forSeconds = Math.ceil(lasting / 1000)
  if (forSeconds > longestSeconds) return yield* usage("a port is published for a day at most", "--for 24h; publish it again when that is over")
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* (yield* LocalDaemon).needed(network)
    const published = yield* daemon.publish({ network, alias, port, local, forSeconds }).pipe(patiently(`publishing ${alias}`))
    yield* show({
      document: published, names: () => [alias],
      table: () => `${alias}.${network}.gstacks:${port} leads to port ${local} of this machine's loopback until ${published.expiresAt}\n`
    })
    if (published.rules.length === 0) yield* note(`no rule lets anybody reach it yet; next: gstacks network policy allow ${network} --from <source> --to ${alias} --port ${port}`)
    yield* note(`to end it before: gstacks mesh unpublish ${network} ${alias}`)
  }))
})).pipe(
  Command.withDescription("Publish a port of this machine as an alias, for a time; rules say who reaches it"),
  Command.withExamples([
    { command: "gstacks mesh publish dev laptop-api --local 3000 --for 1h" }, { command: "gstacks mesh publish dev laptop-api:80 --local 3000" }
  ])
)
