/** Aligned columns: plain ASCII, two spaces between, headers always, nothing after the last column. */
import { printable } from "./printable.ts"

export type Columns<A> = ReadonlyArray<readonly [header: string, cell: (item: A) => string | number | null | undefined]>

const text = (cell: string | number | null | undefined): string => cell === null || cell === undefined || cell === "" ? "-" : printable(String(cell))

const aligned = (lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (lines[0] ?? []).map((_, column) => lines.reduce((widest, line) => Math.max(widest, line[column]!.length), 0))
  return lines.map((line) => line.map((cell, column) => column === line.length - 1 ? cell : cell.padEnd(widths[column]!)).join("  ") + "\n").join("")
}

export const table = <A>(columns: Columns<A>, items: ReadonlyArray<A>): string =>
  aligned([columns.map(([header]) => header), ...items.map((item) => columns.map(([, cell]) => text(cell(item))))])

/** One item, a property a line. */
export const properties = (pairs: ReadonlyArray<readonly [label: string, value: string | number | null | undefined]>): string =>
  aligned(pairs.map(([label, value]) => [`${label}:`, text(value)]))
