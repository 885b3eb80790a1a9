/** `gstacks network trace dev sandbox:web api:8080 [--watch]`: one line a hop, with microseconds. Exit code 5 when denied, 1 when a hop failed. */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { describeHop, type Hop, type Trace } from "../../../domain/Trace.ts"
import { ControlApi } from "../../ControlApi.ts"
import { ExitWith } from "../../Failure.ts"
import { format } from "../../GlobalFlags.ts"
import { printable } from "../../output/printable.ts"
import { note, patiently, show } from "../../output/view.ts"
import { Shell } from "../../Shell.ts"
import { aliasAndPort, network, selector } from "../../words.ts"

/** Between two traces of `--watch`. */
const pauseMs = 1_000
const timeoutMs = 20_000

const exitCodes: Readonly<Record<Trace["verdict"], number>> = { reachable: 0, denied: 5, unreachable: 1 }
const marks: Readonly<Record<Hop["outcome"], string>> = { pass: "ok", warn: "WARN", fail: "FAIL", skip: "-" }

const hopText = ({ hop, host, outcome, micros, detail, next }: Hop): string => {
  const line = `${marks[outcome].padEnd(6)}${describeHop[hop].padEnd(16)}${(host ?? "-").padEnd(12)}${micros === null ? "-".padStart(11) : `${micros} us`.padStart(11)}  ${detail}`
  return `${printable(line)}\n${next === null ? "" : `${printable(`      next: ${next}`)}\n`}`
}

const endText = ({ verdict, broken, source, alias, port }: Trace): string =>
  `${verdict}: ${source} -> ${alias}:${port}${broken === null ? "" : `, it stops at ${describeHop[broken]}`}\n`

/** A trace in one line, to see it flap. */
const summary = ({ at, verdict, broken, hops }: Trace): string => {
  const trouble = hops.find(({ hop, outcome }) => hop === broken || outcome === "warn")
  const times = hops.filter(({ micros }) => micros !== null).map(({ hop, micros }) => `${hop} ${micros} us`).join(", ")
  return printable(`${at} ${verdict}${trouble === undefined ? "" : `, ${describeHop[trouble.hop]}: ${trouble.detail}`}; ${times}`)
}

const watchFlag = Flag.Boolean("watch").pipe(Flag.withDescription("Go on: a trace each second, a line each, marked when it differs from the one before"), Flag.withoutNegation, Flag.withDefault(false))

export const trace = Command.make("trace", { network, source: selector, target: aliasAndPort, watch: watchFlag }, Effect.fn(function*({ network, source, target, watch }) {
  const api = yield* ControlApi
  const { out } = yield* Shell
  const once = api.call((client) => client.networks.trace({ params: { network }, payload: { source, ...target } }), { timeoutMs })
  if (watch) {
    const asText = (yield* format) === "table"
    let before: string | undefined
    return yield* Effect.forever(Effect.gen(function*() {
      const outcome = yield* Effect.result(once)
      if (outcome._tag === "Failure") {
        yield* note(`cannot be traced: ${outcome.failure.problem.detail}; trying again`)
      } else {
        const found = outcome.success
        const now = `${found.verdict} ${found.hops.map((hop) => hop.outcome).join()}`
        yield* out(asText ? `${before !== undefined && before !== now ? "CHANGED " : ""}${summary(found)}\n` : `${JSON.stringify(found)}\n`)
        before = now
      }
      yield* Effect.sleep(pauseMs)
    }))
  }
  const found = yield* once.pipe(patiently("waiting for the source's agent"))
  yield* show({ document: found, table: () => `${found.hops.map(hopText).join("")}\n${endText(found)}`, names: () => [found.verdict] })
  if (exitCodes[found.verdict] !== 0) return yield* new ExitWith({ code: exitCodes[found.verdict] })
})).pipe(
  Command.withDescription("Follow a connection hop by hop, with microseconds; exit code 5 when denied"),
  Command.withExamples([{ command: "gstacks network trace dev sandbox:web api:8080" }, { command: "gstacks network trace dev web api:8080 --watch" }])
)
