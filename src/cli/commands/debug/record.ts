/** `gstacks debug record --for 60s -o file`: what the actors in scope do meanwhile, into a file that `debug replay` and the inspector page open. */
import { Clock, Deferred, Effect, Fiber } from "effect"
import { Command, Flag } from "effect/cli"
import type { RecordedEntry, RecordedProcess } from "../../../domain/Sight/Recording.ts"
import { type ActorSource, look, type ProcessName } from "../../ActorSource.ts"
import { failed } from "../../Failure.ts"
import { note, show } from "../../output/view.ts"
import * as RecordingFile from "../../RecordingFile.ts"
import { Shell } from "../../Shell.ts"
import { version } from "../../version.ts"
import { durationFlag } from "../../words.ts"
import { Collected, tooLarge } from "./Collected.ts"
import { follow, fullPage, noteAnother, noteAway, position } from "./follow.ts"
import { processName, scopeFlags, scopeOf } from "./scope.ts"

const fileFlag = Flag.String("file").pipe(Flag.withAlias("o"), Flag.withMetavar("<file>"), Flag.withDescription("Where to write it; here -o is short for this"))

/** For what happened up to the end of one process and was not asked for yet. */
const restPatience = "10 seconds"

/** Null: it was read to the end; else why not. */
const readRest = (source: ActorSource, agent: ProcessName, collected: Collected): Effect.Effect<string | null> => Effect.gen(function*() {
  while (!collected.isFull) {
    const page = yield* source.journal(agent, collected.place(agent))
    if (collected.take(agent, page, yield* Clock.currentTimeMillis) && page.entries.length < fullPage) return null
  }
  return tooLarge
}).pipe(
  Effect.timeoutOrElse({ duration: restPatience, orElse: () => Effect.succeed(`it was not read within ${restPatience}`) }),
  Effect.catch(({ problem }) => Effect.succeed(problem.detail)))

/** What cannot be read is said, here and in the recording. */
const finish = (source: ActorSource, agent: ProcessName, collected: Collected) => Effect.gen(function*() {
  const reason = yield* readRest(source, agent, collected)
  if (reason === null) return
  collected.miss(agent, yield* Clock.currentTimeMillis, reason)
  yield* note(`${processName(agent)} is not recorded to its end: ${reason}`)
})

/** By time across processes; within one always as it numbered them, also when its clock was set back. */
const inTime = (entries: ReadonlyArray<RecordedEntry>): ReadonlyArray<RecordedEntry> => {
  const lanes = [...new Set(entries.map(({ agent }) => agent))].map((agent) => ({ entries: entries.filter((one) => one.agent === agent), at: 0 }))
  return entries.map(() => {
    const next = lanes.filter(({ at, entries }) => at < entries.length).reduce((a, b) => b.entries[b.at]!.entry.at < a.entries[a.at]!.entry.at ? b : a)
    return next.entries[next.at++]!
  })
}

/** Numbers first, then trees: what happens in between is in both, and does no harm. */
const beginning = Effect.fnUntraced(function*(source: ActorSource, names: ReadonlyArray<ProcessName>) {
  const positions = yield* Effect.forEach(names, (name) => Effect.option(Effect.map(position(source, name), (place) => [name, place] as const)), { concurrency: "unbounded" })
  const places = new Map(positions.flatMap((one) => one._tag === "Some" ? [one.value] : []))
  const processes: Array<RecordedProcess> = []
  for (const { agent, problem, actors } of yield* source.processes) {
    const place = places.get(agent)
    if (problem !== null || place === undefined) yield* note(`${processName(agent)} is left out: ${problem ?? "it does not answer"}`)
    else processes.push({ agent, seq: place.after, actors, charts: yield* source.charts(agent) })
  }
  return { processes, places }
})

export const record = Command.make("record", { ...scopeFlags, for: durationFlag("for", "How long", "60s").pipe(Flag.withDefault(60_000)), file: fileFlag }, Effect.fn(function*({ file, for: forMs, ...scope }) {
  yield* Effect.scoped(Effect.gen(function*() {
    const { onSignal } = yield* Shell
    const write = yield* RecordingFile.prepare(file)
    const seen = yield* look(yield* scopeOf(scope))
    const at = yield* Clock.currentTimeMillis
    const { places, processes } = yield* beginning(seen.source, seen.processes.map(({ agent }) => agent))
    if (processes.length === 0) return yield* failed("nothing-to-record", "Nothing to record", "no process answers", "gstacks debug actors")

    const collected = new Collected(processes, places)
    const enough = yield* Deferred.make<string>()
    const end = (reason: string) => Effect.asVoid(Deferred.succeed(enough, reason))
    yield* onSignal(() => end("ended early"))
    yield* note(`recording ${processes.map(({ agent }) => processName(agent)).join(", ")} for ${forMs / 1000} s; Ctrl-C ends it early`)
    const following = yield* Effect.forEach(processes, ({ agent }) => Effect.forkScoped(follow(seen.source, agent, {
      from: collected.place(agent), onAnother: noteAnother(agent), onAway: noteAway(agent),
      onPage: (page) => Effect.flatMap(Clock.currentTimeMillis, (now) => collected.take(agent, page, now) ? Effect.void : end(tooLarge))
    })))
    const reason = yield* Effect.timeoutOption(Deferred.await(enough), forMs)
    if (reason._tag === "Some") yield* note(reason.value)
    yield* Fiber.interruptAll(following)
    yield* Effect.forEach(processes, ({ agent }) => finish(seen.source, agent, collected), { concurrency: "unbounded", discard: true })

    const entries = inTime(collected.entries)
    const bytes = yield* write({ at, product: version, processes, entries })
    const document = { file, processes: processes.length, entries: entries.length, bytes }
    yield* show({ document, names: () => [file], table: () => `${file}: ${entries.length} entries of ${processes.length} process${processes.length === 1 ? "" : "es"}, ${bytes} bytes\n` })
    yield* note(`next: gstacks debug replay ${file}`)
  }))
})).pipe(
  Command.withDescription("Record what the actors do into a file, for a bug report"),
  Command.withExamples([{ command: "gstacks debug record --for 60s -o incident.jsonl" }])
)
