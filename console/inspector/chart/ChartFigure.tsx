/** A machine's chart: drawn for eyes, listed for everyone else. Active states are lit, the last transition taken is marked. */
import { useEffect, useMemo, useRef, useState } from "react"
import type { Chart, ChartTransition } from "../../../src/domain/Sight.ts"
import { Contained } from "../page/Contained.tsx"
import { ChartDrawing } from "./ChartDrawing.tsx"
import { ChartText } from "./ChartText.tsx"
import { layoutChart } from "./layout.ts"
import { top, transitionText } from "./links.ts"

/** Far beyond any machine; what a hostile file calls a chart must not keep the page busy. */
const mostStates = 200
const mostTransitions = 600

const Drawn = ({ active, chart, taken }: ChartFigureProps) => {
  const layout = useMemo(() => layoutChart(chart), [chart])
  return <ChartDrawing layout={layout} active={active} taken={taken} machine={chart.machine} />
}

interface ChartFigureProps {
  readonly chart: Chart
  readonly active: ReadonlyArray<string>
  readonly taken: ChartTransition | undefined
}

export const ChartFigure = ({ active, chart, taken }: ChartFigureProps) => {
  const [whole, setWhole] = useState(true)
  const drawing = useRef<HTMLDivElement>(null)
  const [listed, setListed] = useState(false)
  const tooLarge = chart.states.length > mostStates || chart.transitions.length > mostTransitions
  const leaves = active.filter((path) => !active.some((other) => other.startsWith(`${path}.`)))
  const where = leaves.join()
  // A chart that is wider than its place shows where the machine is.
  useEffect(() => {
    const [place, lit] = [drawing.current, drawing.current?.querySelector(".state.active:not(.holds)")]
    if (!place || !lit) return
    const [outer, inner] = [place.getBoundingClientRect(), lit.getBoundingClientRect()]
    if (inner.left < outer.left || inner.right > outer.right) place.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2
  }, [chart, where, whole])
  return (
    <figure className="chart">
      <figcaption>
        <h3>Chart of {chart.machine}</h3>
        <span className="legend"><span className="swatch active-swatch" aria-hidden="true" /> active: <strong>{leaves.length === 0 ? "none" : leaves.join(", ")}</strong></span>
        <span className="legend"><span className="swatch taken-swatch" aria-hidden="true" /> last taken: <strong>{taken === undefined ? "none" : `${taken.source ?? top}${taken.source === null ? "" : ": "}${transitionText(taken)}`}</strong></span>
        <button type="button" aria-pressed={!whole} onClick={() => setWhole(!whole)}>Full size</button>
      </figcaption>
      {tooLarge ? <p className="empty">A chart of {chart.states.length} states and {chart.transitions.length} transitions is too large to show.</p> : (
        <>
          <div ref={drawing} className={`drawing${whole ? "" : " full"}`} tabIndex={0} role="group" aria-label={`Drawing of the chart of ${chart.machine}`}>
            <Contained what="The drawing" of={chart}><Drawn chart={chart} active={active} taken={taken} /></Contained>
          </div>
          <details onToggle={(event) => setListed(event.currentTarget.open)}>
            <summary>The chart as a list</summary>
            {listed && <ChartText chart={chart} active={active} taken={taken} />}
          </details>
        </>
      )}
    </figure>
  )
}
