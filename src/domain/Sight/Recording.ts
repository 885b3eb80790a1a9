/**
 * The recording's file, both ways. Reading is safe for any text: each line is checked by itself, sizes are bounded before anything is
 * parsed, and whatever is wrong is one error that says what, where, and what to do.
 */
import { Result, Schema } from "effect"
import { type ActorState, type Chart, type JournalEntry, RecordingLine, recordingFormat, recordingVersion } from "../Sight.ts"

/** An actor system's tree and charts when its recording began, and its journal since. */
export interface RecordedProcess {
  /** Null: the control plane. */
  readonly agent: string | null
  /** The last entry before the recording's first. */
  readonly seq: number
  readonly actors: ReadonlyArray<ActorState>
  readonly charts: ReadonlyArray<Chart>
}

export interface RecordedEntry {
  readonly agent: string | null
  readonly entry: JournalEntry
}

export interface Recording {
  /** Epoch milliseconds. */
  readonly at: number
  /** The version of the program that wrote it. */
  readonly product: string
  readonly processes: ReadonlyArray<RecordedProcess>
  readonly entries: ReadonlyArray<RecordedEntry>
}

export class RecordingUnreadable extends Schema.TaggedError<RecordingUnreadable>()("RecordingUnreadable", {
  reason: Schema.Literals(["notARecording", "otherVersion", "truncated", "badLine", "tooLarge"]),
  message: Schema.String,
  hint: Schema.String
}) {}

/** In characters. A busy minute of a large cluster needs a tenth. */
export const largestRecording = 64 * 1024 * 1024

const encodeLine = Schema.encodeSync(Schema.fromJsonString(RecordingLine))
const decodeLine = Schema.decodeUnknownResult(RecordingLine)
const AnyHeader = Schema.Struct({ _tag: Schema.Literal("Header"), format: Schema.Literal(recordingFormat), version: Schema.Number })
const decodeAnyHeader = Schema.decodeUnknownResult(AnyHeader)

export const encodeRecording = ({ at, entries, processes, product }: Recording): string =>
  [
    encodeLine({ _tag: "Header", format: recordingFormat, version: recordingVersion, at, product }),
    ...processes.map((process) => encodeLine({ _tag: "Process", ...process })),
    ...entries.map((entry) => encodeLine({ _tag: "Entry", ...entry })),
    encodeLine({ _tag: "End", entries: entries.length }),
    ""
  ].join("\n")

const again = "record again: gstacks debug record --for 60s -o FILE"
const problem = (reason: RecordingUnreadable["reason"], message: string, hint = again) => Result.fail(new RecordingUnreadable({ reason, message, hint }))

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line) as unknown
  } catch {
    return undefined
  }
}

export const decodeRecording = (text: string): Result.Result<Recording, RecordingUnreadable> => {
  if (text.length > largestRecording) {
    return problem("tooLarge", `This recording has ${text.length} characters; at most ${largestRecording} are read.`, "record for a shorter time: gstacks debug record --for 10s -o FILE")
  }
  const lines = linesOf(text)
  const first = parse(lines.next().value ?? "")
  const header = decodeAnyHeader(first)
  if (Result.isFailure(header)) return problem("notARecording", "This file is no recording of actors: its first line is no header.", "make one: gstacks debug record --for 60s -o FILE")
  if (header.success.version !== recordingVersion) {
    return problem("otherVersion", `This recording has version ${header.success.version}; this program reads version ${recordingVersion}.`, "open it with the program of the version that wrote it")
  }
  return decodeLines(first, lines)
}

const decodeLines = (first: unknown, lines: Iterable<string>): Result.Result<Recording, RecordingUnreadable> => {
  const processes = new Map<string | null, RecordedProcess>()
  const entries: Array<RecordedEntry> = []
  let number = 1
  const bad = (why: string) => problem("badLine", `Line ${number} of this recording ${why}.`)

  const header = decodeLine(first)
  if (Result.isFailure(header) || header.success._tag !== "Header") return bad("is no whole header")
  const { at, product } = header.success
  for (const text of lines) {
    number++
    const line = decodeLine(parse(text))
    if (Result.isFailure(line)) return nothingFollows(lines) ? truncated(entries.length) : bad("is neither a process, an entry nor the end")
    const value = line.success
    switch (value._tag) {
      case "Header":
        return bad("is a second header")
      case "Process": {
        if (processes.has(value.agent)) return bad("describes a process for the second time")
        const { _tag, ...process } = value
        processes.set(value.agent, process)
        break
      }
      case "Entry":
        if (!processes.has(value.agent)) return bad("is of a process that no line before it describes")
        entries.push({ agent: value.agent, entry: value.entry })
        break
      case "End":
        if (value.entries !== entries.length) return truncated(entries.length, value.entries)
        if (!nothingFollows(lines)) return bad("is the end, but more follows")
        return Result.succeed({ at, product, processes: [...processes.values()], entries })
    }
  }
  return truncated(entries.length)
}

const truncated = (found: number, promised?: number) =>
  problem("truncated", promised === undefined
    ? `This recording is cut off: ${found} entries were found, and no end.`
    : `This recording is not whole: ${found} entries were found, ${promised} promised.`)

const nothingFollows = (lines: Iterable<string>): boolean => lines[Symbol.iterator]().next().done === true

/** Without making an array of them all. */
function* linesOf(text: string): Generator<string, undefined> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from)
    const to = end < 0 ? text.length : end
    if (to > from) yield text.slice(from, to)
    from = to + 1
  }
}
