/** The journal of all that is shown: follow it, stop it, step through it. */
import { useDeferredValue, useMemo, useState } from "react"
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import type { Selection } from "../page/Store.ts"
import { dateAndClock } from "../page/time.ts"
import type { Session } from "../session/Session.ts"
import { type Moment, positionOf } from "../session/timeline.ts"
import { processName } from "../tree/rows.ts"
import { JournalList } from "./JournalList.tsx"
import { visibleIn } from "./filter.ts"
import { momentOfStep, stepOf } from "./steps.ts"
import { happened } from "./words.ts"

export const JournalPanel = ({ labels, live, moment, onShow, selected, session: { timeline } }: {
  readonly session: Session
  readonly moment: Moment
  readonly selected: Selection | undefined
  /** Whether more may come. */
  readonly live: boolean
  readonly labels: EventLabels
  readonly onShow: (moment: Moment) => void
}) => {
  const [only, setOnly] = useState(false)
  const [text, setText] = useState("")
  const wanted = useDeferredValue(text)
  const visible = useMemo(() => visibleIn(timeline, { text: wanted, only: only ? selected : undefined }, labels), [timeline, wanted, only, selected, labels])
  const position = positionOf(timeline, moment)
  const step = stepOf(visible, position)
  const atEnd = moment === "now"
  const go = (to: number) => onShow(to > visible.length ? "now" : momentOfStep(timeline, visible, Math.max(0, to)))
  const shown = step === 0 ? undefined : timeline[visible[step - 1]!]
  const told = atEnd ? live ? "live" : "the end" : shown === undefined ? "before the first entry" : `${dateAndClock(shown.entry.at)} ${processName(shown.agent)} ${shown.entry.address}: ${happened(shown.entry, labels)}`

  return (
    <section className="panel journal" aria-labelledby="journal-title">
      <div className="panel-head">
        <h2 id="journal-title">Journal</h2>
        <div className="steps" role="group" aria-label="Steps">
          <button type="button" onClick={() => go(0)} disabled={step === 0} >To the start</button>
          <button type="button" onClick={() => go(step - 1)} disabled={step === 0}>◂ Back</button>
          <button type="button" onClick={() => go(step + 1)} disabled={atEnd}>Forward ▸</button>
          {live ? (
            <>
              <button type="button" onClick={() => go(visible.length)} disabled={!atEnd || visible.length === 0}>Pause</button>
              <button type="button" className={atEnd ? "on" : undefined} aria-pressed={atEnd} onClick={() => onShow("now")}>Live</button>
            </>
          ) : <button type="button" onClick={() => onShow("now")} disabled={atEnd}>To the end</button>}
        </div>
        <input
          type="range" className="scrubber" min={0} max={visible.length} value={step} aria-label="Moment in the journal" aria-valuetext={`${step} of ${visible.length}: ${told}`}
          onChange={(event) => go(Number(event.target.value))}
        />
        <span className="count" title={visible.length === timeline.length ? undefined : `${timeline.length - visible.length} entries are filtered out`}>{step} of {visible.length}</span>
        <input type="search" className="filter" aria-label="Filter entries by words; a word with a minus before it hides" placeholder="words, -without" value={text} onChange={(event) => setText(event.target.value)} />
        <label className="check"><input type="checkbox" checked={only} disabled={selected === undefined} onChange={(event) => setOnly(event.target.checked)} /> only the chosen actor</label>
      </div>
      <p className="told"><span className="visually-hidden">Shown: </span>{told}</p>
      <JournalList timeline={timeline} visible={visible} step={step} follow={atEnd} labels={labels} onStep={go} />
    </section>
  )
}
