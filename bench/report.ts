/** Figures as Markdown tables: medians, least and greatest in brackets, the ratio to the rival, the aim. */
import { quantile, ratio, spread, value, verdict, type Figure, type Series } from "./figures.ts"

const digits = (x: number): string =>
  Math.abs(x) >= 1000 ? Math.round(x).toLocaleString("en-US") : x.toPrecision(3)

const series = (f: Figure, s: Series): string => {
  if (s.samples.length === 0) return "-"
  const [least, most] = spread(s.samples)
  return s.samples.length === 1 ? digits(value(f, s)) : `${digits(value(f, s))} (${digits(least)}-${digits(most)})`
}

const load = (samples: ReadonlyArray<number>): string =>
  samples.length === 0 ? "" : `${quantile(samples, 0.5).toFixed(1)} (to ${Math.max(...samples).toFixed(1)})`

const cells = (f: Figure): ReadonlyArray<string> => {
  const r = ratio(f)
  return [
    f.row, `${f.what}, ${f.unit}`, series(f, f.ours), f.rival === undefined ? "" : `${f.rival.name}: ${series(f, f.rival)}`,
    r === undefined ? "" : `${r.toFixed(2)}x`, f.aim === undefined ? "" : `${f.aim.op} ${f.aim.limit}${f.aim.kind === "ratio" ? "x" : ""}`,
    verdict(f), load(f.foreignLoad)
  ]
}

/** One line of progress. */
export const summary = (f: Figure): string => cells(f).filter((c) => c !== "").join(" | ")

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((r) => r[i]!.length)))
  const line = (r: ReadonlyArray<string>): string => `| ${r.map((c, i) => c.padEnd(widths[i]!)).join(" | ")} |`
  return [line(rows[0]!), line(widths.map((w) => "-".repeat(w))), ...rows.slice(1).map(line)].join("\n")
}

/** The figures with their aims, then what else was measured beside them. */
export const tables = (figures: ReadonlyArray<Figure>): string => {
  const measured = aligned([["row", "figure", "gstacks", "rival", "ratio", "aim", "", "foreign load"], ...figures.map(cells)])
  const beside = figures.flatMap((f) => f.references.map((s) => [f.row, `${f.what}, ${f.unit}`, s.name, series(f, s)]))
  return beside.length === 0 ? measured : `${measured}\n\nFor orientation:\n\n${aligned([["row", "figure", "path", "value"], ...beside])}`
}
