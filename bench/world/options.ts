/** What the starter asked for, and the way back to it: figures on descriptor 3, progress on standard error. */
import { writeSync } from "node:fs"
import type { Figure } from "../figures.ts"

export interface Options {
  readonly rows: ReadonlyArray<string>
  readonly rounds: number
  readonly seconds: number
  /** How long to wait for a quiet moment before each run. */
  readonly patienceMs: number
  /** Without it only the rivals are measured. */
  readonly product: boolean
  /** Folder of meshd, headscale and loadgen. */
  readonly binaries: string
}

let parsed: Options | undefined
export const options = (): Options => parsed ??= JSON.parse(process.argv[2] ?? "{}") as Options

export const deliver = (figure: Figure): void => void writeSync(3, `${JSON.stringify(figure)}\n`)
export const note = (line: string): void => console.error(`bench: ${line}`)
