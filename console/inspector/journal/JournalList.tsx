/** The entries of the journal as a list of which only what is in sight is in the document. The chosen entry is the moment that is shown. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { type KeyboardEvent, useEffect, useRef } from "react"
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import { clock, dateAndClock } from "../page/time.ts"
import { processName } from "../tree/rows.ts"
import { happened, isTrouble, passage } from "./words.ts"

const rowHeight = 24

const stepsOf = (key: string, step: number, count: number, page: number): number | undefined => {
  switch (key) {
    case "ArrowUp":
    case "ArrowLeft": return step - 1
    case "ArrowDown":
    case "ArrowRight": return Math.min(count, step + 1)
    case "PageUp": return step - page
    case "PageDown": return Math.min(count, step + page)
    case "Home": return Math.min(1, count)
    case "End": return count
    default: return undefined
  }
}

export const JournalList = ({ follow, labels, onStep, step, timeline, visible }: {
  readonly timeline: ReadonlyArray<RecordedEntry>
  readonly visible: ReadonlyArray<number>
  /** How many of the visible entries have happened. */
  readonly step: number
  readonly follow: boolean
  readonly labels: EventLabels
  readonly onStep: (step: number) => void
}) => {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: visible.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const items = virtual.getVirtualItems()
  useEffect(() => {
    if (step > 0) virtual.scrollToIndex(step - 1)
  }, [step, virtual])

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const to = stepsOf(event.key, step, visible.length, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight))
    if (to === undefined) return
    event.preventDefault()
    onStep(Math.max(0, to))
  }

  return (
    <div
      ref={scroller} className="scroller entries" role="listbox" aria-label="Entries of the journal" tabIndex={0} onKeyDown={onKeyDown}
      aria-activedescendant={items.some(({ index }) => index === step - 1) ? `entry-${step - 1}` : undefined}
    >
      <div role="none" className="spacer" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const { agent, entry } = timeline[visible[index]!]!
          return (
            <div
              key={index} id={`entry-${index}`} role="option" aria-selected={index === step - 1} aria-posinset={index + 1} aria-setsize={visible.length}
              className={`entry${index === step - 1 && !follow ? " selected" : ""}${index >= step ? " future" : ""}${isTrouble(entry) ? " troubled" : ""}`}
              style={{ transform: `translateY(${start}px)` }} onClick={() => onStep(index + 1)}
            >
              <span className="at" title={dateAndClock(entry.at)}>{clock(entry.at)}</span>
              <span className="who">{processName(agent)}</span>
              <span className="address" title={entry.address}>{entry.address}</span>
              <span className="what">{isTrouble(entry) ? <span className="mark">!</span> : ""}{happened(entry, labels)}</span>
              <span className="passage" title={passage(entry)}>{passage(entry)}</span>
              <span className="detail" title={entry.detail ?? undefined}>{entry.detail}</span>
            </div>
          )
        })}
      </div>
    </div>
  )
}
