/** What a person waits for: the help text, and the whole demo once everything is built. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { environment } from "../../test/harness/cluster.ts"
import { below, product, type Figure } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { root } from "../tools.ts"

const patienceMs = 20_000

const timed = (command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = process.env): number => {
  const begun = performance.now()
  const { status, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8", env })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${status}\n${stderr}`)
  return performance.now() - begun
}

const repeat = async (times: number, sample: () => number): Promise<{ readonly samples: ReadonlyArray<number>; readonly foreignLoad: ReadonlyArray<number> }> => {
  const samples: Array<number> = []
  const load = new ForeignLoad(patienceMs)
  for (let i = 0; i < times; i++) {
    await load.quiet()
    samples.push(sample())
  }
  return { samples, foreignLoad: load.samples }
}

export const help = async (found: (figure: Figure) => void, rounds: number): Promise<void> => {
  const { foreignLoad, samples } = await repeat(rounds * 4, () => timed("bin/gstacks", ["--help"]))
  found({ row: "help", what: "gstacks --help", unit: "ms", ours: { name: product, samples }, references: [], aim: below(300), foreignLoad })
}

/** In folders of its own, so that neither a demo of the user's nor its state matters. */
export const demo = async (found: (figure: Figure) => void, rounds: number): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "gs-bench-"))
  const once = (): number => timed("npm", ["run", "demo", "--", "--once"], environment(folder)) / 1e3
  try {
    once() // the first one may build
    const { foreignLoad, samples } = await repeat(rounds, once)
    found({ row: "demo", what: "second npm run demo -- --once", unit: "s", ours: { name: product, samples }, references: [], aim: below(20), foreignLoad })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
