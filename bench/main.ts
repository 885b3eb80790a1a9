/**
 * `npm run bench [-- --rounds N] [rows...]`: measures the product beside its rivals and prints the tables of
 * docs/performance.md. Rows that need only meshd run in namespaces of their own (world/), rows about the whole product in
 * disposable clusters (cluster/), the rows `actors` and `inspector` in processes of their own; `inspector` needs Chromium. All others
 * need Linux, Go, and Debian's haproxy, dnsmasq, dnsperf, wireguard-go, wireguard-tools, nftables and iproute2. Leaves nothing behind,
 * however it ends.
 */
import { parseArgs } from "node:util"
import { measureActors } from "./actors.ts"
import { clusterRows } from "./cluster/rows.ts"
import { endStories } from "./cluster/Story.ts"
import type { Figure } from "./figures.ts"
import { measureInspector } from "./inspector.ts"
import { summary, tables } from "./report.ts"
import { binaries, buildTools, missingTools } from "./tools.ts"
import { measureInWorld, worldRows } from "./world.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1.5" },
    patience: { type: "string", default: "20" },
    "rivals-only": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false }
  }
})

/** These need none of the rivals. */
const alone = ["actors", "inspector"]
const known = [...alone, ...worldRows, ...Object.keys(clusterRows)]
const unknown = positionals.filter((row) => !known.includes(row))
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`bench: no row is called ${unknown.join(", ")}`)
  console.error(`usage: npm run bench -- [--rounds N] [--seconds S] [--patience S] [--rivals-only] [--json] [rows...]\nrows: ${known.join(" ")}`)
  process.exit(values.help ? 0 : 2)
}
const wanted = positionals.length === 0 ? known : positionals

if (wanted.some((row) => !alone.includes(row))) {
  const missing = missingTools(!values["rivals-only"])
  if (missing.length > 0) {
    for (const sentence of missing) console.error(`bench: ${sentence}`)
    process.exit(1)
  }
  buildTools()
}

const figures: Array<Figure> = []
const found = (figure: Figure): void => {
  figures.push(figure)
  console.error(`bench: ${summary(figure)}`)
}
const rounds = Number(values.rounds)
let complete = !wanted.includes("actors") || await measureActors(rounds, found)
const inWorld = wanted.filter((row) => worldRows.includes(row))
if (inWorld.length > 0) {
  const measured = await measureInWorld(
    { rows: inWorld, rounds, seconds: Number(values.seconds), patienceMs: Number(values.patience) * 1000, product: !values["rivals-only"], binaries }, found)
  complete &&= measured
}
if (wanted.includes("inspector")) await measureInspector(rounds, found)
process.once("SIGINT", () => void endStories().finally(() => process.exit(130)))
for (const row of wanted) {
  try {
    await clusterRows[row]?.(found, rounds)
  } catch (error) {
    complete = false
    console.error(`bench: ${row}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
console.log(values.json ? JSON.stringify(figures, undefined, 2) : tables(figures))
process.exit(complete ? 0 : 1)
