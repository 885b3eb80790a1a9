/** A page that is drawn again in place on a terminal. */
import type { Screen } from "../Shell.ts"

export const clear = "\u001b[2J"
const home = "\u001b[H"
const eraseLine = "\u001b[K"
const eraseBelow = "\u001b[J"

/** What fits, from the top; the rest is counted. */
export const fitting = (text: string, { columns, rows }: Screen): string => {
  const lines = text.trimEnd().split("\n")
  const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `... and ${lines.length - rows + 2} lines more`]
  return home + shown.map((line) => line.slice(0, columns) + eraseLine).join("\n") + "\n" + eraseBelow
}
