/** An actor's chart as text: states below the one that holds them, `*` before those that are active, and where those can go. */
import type { Chart, ChartState, ChartTransition } from "../../../domain/Sight.ts"
import { printable } from "../../output/printable.ts"

const nameOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1)

const kindOf = ({ type, initial }: ChartState): string => {
  const notes = [...type === "atomic" || type === "compound" ? [] : [type], ...initial ? ["initial"] : []]
  return notes.length === 0 ? "" : ` (${notes.join(", ")})`
}

export const arrow = ({ label, guard, targets }: Pick<ChartTransition, "label" | "guard" | "targets">): string =>
  `${label}${guard === null ? "" : ` [${guard}]`} -> ${targets.length === 0 ? "(stays)" : targets.join(", ")}`

export const chartText = ({ states, transitions }: Chart, active: ReadonlyArray<string>): string => {
  const isActive = new Set(active)
  const wayOut = (source: string | null, indent: string) => transitions.filter((one) => one.source === source).map((one) => `${indent}${arrow(one)}`)
  const drawn = (parent: string | null, indent: string): ReadonlyArray<string> =>
    states.filter((state) => state.parent === parent).flatMap((state) => {
      const lit = isActive.has(state.path)
      return [
        `${indent}${lit ? "*" : "-"} ${nameOf(state.path)}${kindOf(state)}`,
        ...lit ? wayOut(state.path, `${indent}      `) : [],
        ...drawn(state.path, `${indent}  `)
      ]
    })
  return [...drawn(null, "  "), ...wayOut(null, "  anywhere: ")].map((line) => `${printable(line)}\n`).join("")
}
