/** What a key does in the tree, as the ARIA pattern says: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/ */
import type { Row } from "./rows.ts"

export type TreeAction =
  | { readonly move: number }
  | { readonly fold: ReadonlyArray<string> }
  | { readonly unfold: ReadonlyArray<string> }
  | { readonly choose: number }

export const treeAction = (key: string, rows: ReadonlyArray<Row>, at: number, pageSize: number): TreeAction | undefined => {
  const row = rows[at]
  if (row === undefined) return undefined
  const move = (to: number): TreeAction => ({ move: Math.max(0, Math.min(rows.length - 1, to)) })
  switch (key) {
    case "ArrowDown": return move(at + 1)
    case "ArrowUp": return move(at - 1)
    case "PageDown": return move(at + pageSize)
    case "PageUp": return move(at - pageSize)
    case "Home": return move(0)
    case "End": return move(rows.length - 1)
    case "ArrowRight": return row.expanded ? move(at + 1) : row.expandable ? { unfold: [row.key] } : undefined
    case "ArrowLeft": return row.expanded ? { fold: [row.key] } : move(parentOf(rows, at))
    case "Enter":
    case " ": return { choose: at }
    case "*": return { unfold: siblingsOf(rows, at).map(({ key }) => key) }
    default: return undefined
  }
}

const parentOf = (rows: ReadonlyArray<Row>, at: number): number => {
  const { level } = rows[at]!
  for (let index = at - 1; index >= 0; index--) if (rows[index]!.level < level) return index
  return at
}

const siblingsOf = (rows: ReadonlyArray<Row>, at: number): ReadonlyArray<Row> => {
  const { level } = rows[at]!
  const from = level === 1 ? 0 : parentOf(rows, at) + 1
  const end = rows.findIndex((row, index) => index >= from && row.level < level)
  return rows.slice(from, end < 0 ? rows.length : end).filter((row) => row.level === level && row.expandable)
}

/** The next row whose name begins with what was typed, round the end; a single letter moves on, more letters may stay. */
export const typedAhead = (typed: string, rows: ReadonlyArray<Row>, at: number): number | undefined => {
  const wanted = typed.toLowerCase()
  const first = wanted.length === 1 ? 1 : 0
  for (let step = first; step < rows.length + first; step++) {
    const index = (at + step) % rows.length
    if (rows[index]!.name.toLowerCase().startsWith(wanted)) return index
  }
  return undefined
}
