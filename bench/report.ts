/** Prints figures as a Markdown table: medians, least and greatest in brackets, the ratio to the rival, the aim. */
import { ratio, spread, value, verdict, type Figure, type Series } from "./figures.ts"

const digits = (x: number): string =>
  Math.abs(x) >= 1000 ? Math.round(x).toLocaleString("en-US") : x.toPrecision(3)

const series = (f: Figure, s: Series): string => {
  if (s.samples.length === 0) return "-"
  const [least, most] = spread(s.samples)
  return s.samples.length === 1 ? digits(value(f, s)) : `${digits(value(f, s))} (${digits(least)}-${digits(most)})`
}

const cells = (f: Figure): ReadonlyArray<string> => {
  const r = ratio(f)
  return [
    f.row, `${f.what}, ${f.unit}`, series(f, f.ours), f.rival === undefined ? "" : `${f.rival.name}: ${series(f, f.rival)}`,
    r === undefined ? "" : `${r.toFixed(2)}x`, f.aim === undefined ? "" : `${f.aim.op} ${f.aim.limit}${f.aim.kind === "ratio" ? "x" : ""}`,
    verdict(f), f.references.map((s) => `${s.name} ${series(f, s)}`).join("; "), f.foreignLoad.toFixed(1)
  ]
}

/** One line of progress. */
export const summary = (f: Figure): string => cells(f).filter((c) => c !== "").join(" | ")

const head = ["row", "figure", "gstacks", "rival", "ratio", "aim", "", "for orientation", "foreign load"]

export const table = (figures: ReadonlyArray<Figure>): string => {
  const rows = [head, ...figures.map(cells)]
  const widths = head.map((_, i) => Math.max(...rows.map((r) => r[i]!.length)))
  const line = (r: ReadonlyArray<string>): string => `| ${r.map((c, i) => c.padEnd(widths[i]!)).join(" | ")} |`
  return [line(head), `|${widths.map((w) => "-".repeat(w + 2)).join("|")}|`, ...rows.slice(1).map(line)].join("\n")
}
