/** A laid out chart as SVG. Its text is in the caption and the list beside it, so to screen readers it is one picture. */
import type { ChartTransition } from "../../../src/domain/Sight.ts"
import { type Box, measures, type Point } from "./geometry.ts"
import type { ChartLayout, Line, StateBox } from "./layout.ts"
import { anyText, transitionText } from "./links.ts"

const corner = 8

/** Through all points, corners rounded. */
const pathOf = (points: ReadonlyArray<Point>): string => points.map((point, index) => {
  const [before, after] = [points[index - 1], points[index + 1]]
  if (before === undefined) return `M${point.x},${point.y}`
  if (after === undefined) return `L${point.x},${point.y}`
  const [from, to] = [toward(point, before), toward(point, after)]
  return `L${from.x},${from.y} Q${point.x},${point.y} ${to.x},${to.y}`
}).join(" ")

const toward = (from: Point, to: Point): Point => {
  const distance = Math.hypot(to.x - from.x, to.y - from.y)
  const part = distance === 0 ? 0 : Math.min(corner, distance / 2) / distance
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }
}

const rect = ({ height, width, x, y }: Box) => ({ x: x - width / 2, y: y - height / 2, width, height })

const State = ({ active, state, taken }: { readonly state: StateBox; readonly active: boolean; readonly taken: ChartTransition | undefined }) => {
  const up = state.y - state.height / 2
  return (
    <g className={`state${active ? " active" : ""}${state.holds ? " holds" : ""}${state.type === "parallel" ? " parallel" : ""}`}>
      <rect {...rect(state)} rx={6} />
      {state.type === "final" && <rect {...rect({ ...state, width: state.width - 6, height: state.height - 6 })} rx={4} className="inner" />}
      <text x={state.x} y={up + 16} className="state-name">{active ? "● " : ""}{state.type === "history" ? "history: " : ""}{state.name}</text>
      {state.notes.map((note, index) => (
        <text key={index} x={state.x} y={up + 16 + (index + 1) * measures.line} className={note.transition !== undefined && note.transition === taken ? "note taken" : "note"}>{note.text}</text>
      ))}
    </g>
  )
}

const isTaken = (line: Line, taken: ChartTransition | undefined): boolean => taken !== undefined && line.link?.transitions.includes(taken) === true

const Way = ({ line, taken }: { readonly line: Line; readonly taken: ChartTransition | undefined }) => {
  const marked = isTaken(line, taken)
  return <path d={pathOf(line.points)} className={`way${marked ? " taken" : ""}${line.link === undefined ? " first" : ""}`} markerEnd={`url(#${marked ? "arrow-taken" : "arrow"})`} />
}

const Label = ({ line, taken }: { readonly line: Line; readonly taken: ChartTransition | undefined }) => line.label === undefined ? null : (
  <g className="label">
    <rect {...rect(line.label)} rx={3} />
    {line.link?.transitions.map((transition, index) => (
      <text key={index} x={line.label!.x} y={line.label!.y - line.label!.height / 2 + 12 + index * measures.line} className={transition === taken ? "taken" : undefined}>
        {transition === taken ? "▸ " : ""}{transitionText(transition)}
      </text>
    ))}
  </g>
)

const Arrow = ({ id }: { readonly id: string }) => (
  <marker id={id} viewBox="0 0 8 8" refX={7} refY={4} markerWidth={8} markerHeight={8} markerUnits="userSpaceOnUse" orient="auto">
    <path d="M0,0.5 L8,4 L0,7.5 z" className={id} />
  </marker>
)

export const ChartDrawing = ({ active, layout, machine, taken }: {
  readonly layout: ChartLayout
  readonly active: ReadonlyArray<string>
  readonly taken: ChartTransition | undefined
  readonly machine: string
}) => {
  const lit = new Set(active)
  return (
    <svg width={layout.width} height={layout.height} viewBox={`0 0 ${layout.width} ${layout.height}`} role="img" aria-label={`Chart of ${machine}; the list below says the same`} style={{ minWidth: layout.width * 0.62 }}>
      <defs><Arrow id="arrow" /><Arrow id="arrow-taken" /></defs>
      {layout.states.map((state) => <State key={state.path} state={state} active={lit.has(state.path)} taken={taken} />)}
      {layout.marks.map((mark, index) => mark.kind === "initial"
        ? <circle key={index} cx={mark.x} cy={mark.y} r={4.5} className="initial" />
        : (
          <g key={index} className="any">
            <rect {...rect(mark)} rx={10} />
            {[anyText, ...mark.notes.map((note) => note.text)].map((text, line) => <text key={line} x={mark.x} y={mark.y - mark.height / 2 + 14 + line * measures.line}>{text}</text>)}
          </g>
        ))}
      {layout.lines.map((line, index) => <Way key={index} line={line} taken={taken} />)}
      {layout.lines.map((line, index) => <Label key={index} line={line} taken={taken} />)}
    </svg>
  )
}
