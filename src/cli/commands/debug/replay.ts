/** `gstacks debug replay <file> [--at n | --address a]`: what is in a recording. The inspector page opens the same file. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { ProcessActors } from "../../../domain/Sight.ts"
import type { RecordedEntry, Recording } from "../../../domain/Sight/Recording.ts"
import { eventLabels } from "../../../domain/Sight/eventLabels.ts"
import { treeAt } from "../../../domain/Sight/treeAt.ts"
import { notFound, usage } from "../../Failure.ts"
import { note, show } from "../../output/view.ts"
import { properties, table } from "../../output/table.ts"
import * as RecordingFile from "../../RecordingFile.ts"
import { happening, timeOf } from "./entries.ts"
import { processName, qualified } from "./scope.ts"
import { trees } from "./tree.ts"

interface Numbered extends RecordedEntry { readonly number: number }

const numbered = ({ entries }: Recording): ReadonlyArray<Numbered> => entries.map((one, i) => ({ number: i + 1, ...one }))

const iso = (at: number): string => new Date(at).toISOString()

const overview = (file: string, recording: Recording) => {
  const { at, entries, processes, product } = recording
  const lastAt = entries.reduce((latest, { entry }) => Math.max(latest, entry.at), at)
  const rows = processes.map(({ agent, actors, charts }) => ({ process: agent, actors: actors.length, machines: charts.length, entries: entries.filter((one) => one.agent === agent).length }))
  return show({
    document: { at, product, until: lastAt, entries: entries.length, processes: rows },
    names: () => rows.map(({ process }) => process ?? "control"),
    table: () => properties([["Recorded", iso(at)], ["By", `gstacks ${product}`], ["Last entry", iso(lastAt)], ["Entries", entries.length]]) + "\n" +
      table([["PROCESS", (row) => processName(row.process)], ["ACTORS", (row) => row.actors], ["MACHINES", (row) => row.machines], ["ENTRIES", (row) => row.entries]], rows)
  }).pipe(Effect.andThen(note(`next: gstacks debug replay ${file} --at ${Math.ceil(entries.length / 2)}, or open it in the page of gstacks debug inspect`)))
}

/** As every process stood after the first `count` entries. */
const treesAt = ({ entries, processes }: Recording, count: number) => {
  const before = entries.slice(0, count)
  const seen = processes.map(({ agent, actors }): ProcessActors => {
    const own = before.filter((one) => one.agent === agent).map(({ entry }) => entry)
    return { agent, problem: null, actors: treeAt(actors, own, own.length) }
  })
  const now = before.at(-1)?.entry.at ?? 0
  return show({ document: seen, table: () => trees(seen, now), names: () => seen.flatMap(({ agent, actors }) => actors.map(({ address }) => qualified(agent, address))) })
}

const historyOf = (recording: Recording, address: string) => {
  const found = numbered(recording).filter(({ agent, entry }) => {
    const own = qualified(agent, entry.address)
    return own === address || own.startsWith(`${address}/`)
  })
  const what = happening(eventLabels(recording.processes.flatMap(({ charts }) => charts)))
  if (found.length === 0) return notFound("actor-not-found", `the recording has no entry of ${address}`, "write it as in debug replay --at, like host-1:agent/link")
  return show({
    document: found, names: () => found.map(({ number }) => String(number)),
    table: () => table([["ENTRY", (one) => one.number], ["TIME", ({ entry }) => timeOf(entry)], ["ACTOR", ({ agent, entry }) => qualified(agent, entry.address)], ["WHAT", ({ entry }) => what(entry)]], found)
  })
}

export const replay = Command.make("replay", {
  file: Argument.String("file").pipe(Argument.withDescription("A recording of debug record")),
  at: Flag.Int("at").pipe(Flag.withMetavar("<entry>"), Flag.withDescription("Show the trees as they were after so many entries"), Flag.optional),
  address: Flag.String("address").pipe(Flag.withMetavar("<address>"), Flag.withDescription("Show the entries of this actor and of those below it, like host-1:agent/link"), Flag.optional)
}, Effect.fn(function*({ file, at, address }) {
  const recording = yield* RecordingFile.read(file)
  if (Option.isSome(address)) return yield* historyOf(recording, address.value)
  if (Option.isNone(at)) return yield* overview(file, recording)
  const most = recording.entries.length
  if (at.value < 0 || at.value > most) return yield* usage(`the recording has no entry ${at.value}; it has ${most}`, `gstacks debug replay ${file} --at ${most}`)
  yield* treesAt(recording, at.value)
})).pipe(
  Command.withDescription("Show what is in a recording"),
  Command.withExamples([{ command: "gstacks debug replay incident.jsonl --at 120" }, { command: "gstacks debug replay incident.jsonl --address host-1:agent/link" }])
)
