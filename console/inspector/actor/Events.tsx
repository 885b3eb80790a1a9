/** What happened to one actor, newest first. Each line leads to its moment. */
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import { happened, passage } from "../journal/words.ts"
import { clock } from "../page/time.ts"
import { mostEvents } from "./subject.ts"

export const Events = ({ events, labels, moment, onShow }: {
  readonly events: ReadonlyArray<RecordedEntry>
  readonly labels: EventLabels
  readonly moment: unknown
  readonly onShow: (entry: RecordedEntry) => void
}) => (
  <section aria-labelledby="events-title">
    <h3 id="events-title">What happened to it <span className="faint">newest first{events.length === mostEvents ? `, the last ${mostEvents}` : ""}</span></h3>
    {events.length === 0 ? <p className="empty">Nothing in what is known of the journal.</p> : (
      <table className="events">
        <thead><tr><th scope="col">time</th><th scope="col">event</th><th scope="col">from → to</th><th scope="col">detail</th></tr></thead>
        <tbody>
          {events.map((recorded) => (
            <tr key={`${recorded.entry.seq} ${recorded.entry.at}`} className={recorded === moment ? "current" : undefined} aria-current={recorded === moment ? "step" : undefined}>
              <td><button type="button" className="link" onClick={() => onShow(recorded)} aria-label={`Show the moment ${clock(recorded.entry.at)}`}>{clock(recorded.entry.at)}</button></td>
              <td><code>{happened(recorded.entry, labels)}</code></td>
              <td>{passage(recorded.entry)}</td>
              <td>{recorded.entry.detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
  </section>
)
