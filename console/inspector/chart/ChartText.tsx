/** The chart as nested lists: each state, whether it is active, and where its transitions lead. */
import type { Chart, ChartTransition } from "../../../src/domain/Sight.ts"
import { nameOf, type Structure, structureOf, top, transitionText } from "./links.ts"

interface Shown { readonly active: ReadonlyArray<string>; readonly taken: ChartTransition | undefined }

const Transitions = ({ of, structure, taken }: Shown & { readonly structure: Structure; readonly of: string }) => {
  const own = structure.chart.transitions.filter((transition) => (transition.source ?? top) === of)
  return own.length === 0 ? null : (
    <ul>
      {own.map((transition, index) => (
        <li key={index}>{transitionText(transition)}: {transition.targets.length === 0 ? "stays" : `to ${transition.targets.join(", ")}`}{transition === taken ? " (last taken)" : ""}</li>
      ))}
    </ul>
  )
}

const States = ({ of, ...shown }: Shown & { readonly structure: Structure; readonly of: string }) => (
  <ul>
    {shown.structure.childrenOf(of).map((state) => (
      <li key={state.path}>
        <strong>{nameOf(state)}</strong>{state.type === "atomic" ? "" : `, ${state.type}`}{state.initial ? ", entered first" : ""}{shown.active.includes(state.path) ? ", active" : ""}
        {state.invokes.length === 0 ? "" : `, runs ${state.invokes.join(", ")}`}
        <Transitions of={state.path} {...shown} />
        {shown.structure.childrenOf(state.path).length > 0 && <States of={state.path} {...shown} />}
      </li>
    ))}
  </ul>
)

export const ChartText = ({ chart, ...shown }: Shown & { readonly chart: Chart }) => {
  const structure = structureOf(chart)
  return (
    <div className="chart-text">
      {chart.transitions.some(({ source }) => source === null) && <p>In every state:</p>}
      <Transitions of={top} structure={structure} {...shown} />
      <States of={top} structure={structure} {...shown} />
    </div>
  )
}
