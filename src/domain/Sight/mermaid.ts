/**
 * A chart as a mermaid `stateDiagram-v2`, for documents and terminals; active states have the class `active`. Mermaid cannot draw
 * an edge from a state to one inside it: such events leave from a box "in any of these" beside the inner states.
 */
import type { Chart, ChartState, ChartTransition } from "../Sight.ts"

const nameOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1)
/** Mermaid's ids are words; paths that differ must stay different. */
const idOf = (path: string): string => path.replace(/[^A-Za-z0-9.]/g, (c) => `_${c.charCodeAt(0).toString(16)}_`).replaceAll(".", "__")
/** What mermaid would read as syntax becomes a character reference. */
const escape = (text: string): string => text.replace(/[^ -~]|[#:;"<>{}]/g, (c) => `#${c.codePointAt(0)};`)
const anyOf = (path: string | null): string => path === null ? "any_state" : `${idOf(path)}__any`

const isWithin = (path: string, outer: string | null): boolean => outer === null || path.startsWith(`${outer}.`)

const labelOf = ({ guard, label, targets }: ChartTransition): string =>
  escape(`${label.replace(": ", " ")}${guard === null ? "" : ` [${guard}]`}${targets.length === 0 ? " (stays)" : ""}`)

export const chartMermaid = (chart: Chart, active: ReadonlyArray<string> = []): string => {
  const childrenOf = (path: string | null): ReadonlyArray<ChartState> => chart.states.filter(({ parent }) => parent === path)
  const leavesFromInside = new Set(chart.transitions.filter(({ source, targets }) => targets.some((target) => isWithin(target, source))).map(({ source }) => source))
  const lines: Array<string> = ["stateDiagram-v2"]

  const drawStates = (parent: string | null, indent: string): void => {
    const states = childrenOf(parent)
    const parallel = states.length > 1 && states.every((state) => state.initial)
    states.forEach((state, index) => {
      if (parallel && index > 0) lines.push(`${indent}--`)
      drawState(state, indent)
      if (state.initial) lines.push(`${indent}[*] --> ${idOf(state.path)}`)
      if (state.type === "final") lines.push(`${indent}${idOf(state.path)} --> [*]`)
    })
    if (leavesFromInside.has(parent)) lines.push(`${indent}state "in any of these" as ${anyOf(parent)}`)
  }

  const drawState = ({ path }: ChartState, indent: string): void => {
    const declared = `${indent}state "${escape(nameOf(path))}" as ${idOf(path)}`
    if (childrenOf(path).length === 0) return void lines.push(declared)
    lines.push(`${declared} {`)
    drawStates(path, `${indent}  `)
    lines.push(`${indent}}`)
  }

  const drawTransition = (transition: ChartTransition): void => {
    const { source, targets } = transition
    const outside = source === null ? [] : targets.filter((target) => !isWithin(target, source))
    const inside = targets.filter((target) => !outside.includes(target))
    const label = labelOf(transition)
    for (const target of outside) if (source !== null) lines.push(`  ${idOf(source)} --> ${idOf(target)}: ${label}`)
    for (const target of inside) lines.push(`  ${anyOf(source)} --> ${idOf(target)}: ${label}`)
    if (targets.length === 0 && source !== null) lines.push(`  ${idOf(source)} --> ${idOf(source)}: ${label}`)
  }

  drawStates(null, "  ")
  chart.transitions.forEach(drawTransition)
  const lit = active.filter((path) => chart.states.some((state) => state.path === path))
  if (lit.length > 0) lines.push("  classDef active fill:#ffe08a,stroke:#7a5c00,stroke-width:3px,color:#1a1a1a", `  class ${lit.map(idOf).join(",")} active`)
  return `${lines.join("\n")}\n`
}
