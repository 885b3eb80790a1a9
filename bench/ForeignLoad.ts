/**
 * Other work on the machine spoils a measurement. Before each run this waits for a quiet moment, for a bounded time, and
 * notes how busy the processors were with it all the same.
 */
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import { setTimeout as delay } from "node:timers/promises"

const quietBelow = 0.15
const sampleMs = 250

const jiffies = (): { readonly busy: number; readonly all: number } => {
  const fields = (/^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? "").split(" ").map(Number).slice(0, 8)
  const all = fields.reduce((a, b) => a + b, 0)
  return { busy: all - (fields[3] ?? 0) - (fields[4] ?? 0), all }
}

/** The part of all processors' time that was not idle, 0 to 1. */
const busyShare = async (): Promise<number> => {
  const before = jiffies()
  await delay(sampleMs)
  const after = jiffies()
  return (after.busy - before.busy) / Math.max(1, after.all - before.all)
}

export class ForeignLoad {
  /** Busy processors just before each sample. */
  readonly samples: Array<number> = []
  readonly #patienceMs: number

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** Returns once the machine is quiet, or when patience is over. */
  async quiet(): Promise<void> {
    const end = performance.now() + this.#patienceMs
    for (;;) {
      const share = await busyShare()
      if (share < quietBelow || performance.now() > end) {
        this.samples.push(share * cpus().length)
        return
      }
    }
  }
}
