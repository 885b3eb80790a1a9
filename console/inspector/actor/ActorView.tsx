/** One actor: how it is, its chart, what it accepts, its context, what happened to it. */
import type { EventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import type { Selection } from "../page/Store.ts"
import { clock, span } from "../page/time.ts"
import type { RecordedEntry } from "../../../src/domain/Sight/Recording.ts"
import { processName, troubleOf } from "../tree/rows.ts"
import { ChartFigure } from "../chart/ChartFigure.tsx"
import { Events } from "./Events.tsx"
import type { Subject } from "./subject.ts"

const senders = { outside: "from outside", timer: "its timer", invoked: "what it runs" } as const

const Facts = ({ now, subject: { actor } }: { readonly subject: Subject; readonly now: number }) => (
  <dl className="facts">
    <div><dt>state</dt><dd><strong>{actor.state === "" ? "?" : actor.state}</strong>{actor.status === "running" || actor.status === actor.state ? "" : ` (${actor.status})`}</dd></div>
    <div><dt>since</dt><dd>{actor.since === 0 ? "?" : `${clock(actor.since)} (${span(now - actor.since)})`}</dd></div>
    <div><dt>restarts</dt><dd>{actor.restarts}</dd></div>
    <div><dt>events waiting</dt><dd>{actor.mailbox}</dd></div>
    <div><dt>{actor.kind === "machine" ? "machine" : "supervisor"}</dt><dd>{actor.machine === "" ? "?" : actor.machine}</dd></div>
  </dl>
)

const Accepts = ({ accepts }: Pick<Subject, "accepts">) => (
  <section aria-labelledby="accepts-title">
    <h3 id="accepts-title">What it can accept now</h3>
    {accepts.length === 0 ? <p className="empty">Nothing.</p> : (
      <ul className="accepts">
        {accepts.map((accepted, index) => (
          <li key={index}>
            <code>{accepted.event}</code>{accepted.guard === null ? "" : ` if ${accepted.guard}`}
            <span className="faint"> {accepted.targets.length === 0 ? "stays" : `to ${accepted.targets.join(", ")}`}, {senders[accepted.origin]}</span>
          </li>
        ))}
      </ul>
    )}
  </section>
)

const Context = ({ detail }: Pick<Subject, "detail">) => (
  <section aria-labelledby="context-title">
    <h3 id="context-title">Context</h3>
    {detail === undefined ? <p className="empty">Only the running process knows it: it is in no journal.</p>
      : Object.keys(detail.context).length === 0 && detail.output === null ? <p className="empty">Nothing of it may be shown.</p>
      : <pre tabIndex={0} aria-label="Context as JSON">{JSON.stringify(detail.output === null ? detail.context : { ...detail.context, "(output)": detail.output }, null, 2)}</pre>}
  </section>
)

export const ActorView = ({ labels, moment, now, onShow, selection, subject }: {
  readonly selection: Selection
  readonly subject: Subject | undefined
  readonly now: number
  readonly labels: EventLabels
  readonly moment: unknown
  readonly onShow: (entry: RecordedEntry) => void
}) => (
  <section className="panel actor" aria-labelledby="actor-title">
    <div className="panel-head">
      <h2 id="actor-title"><span className="faint">{processName(selection.agent)}</span> {selection.address}</h2>
    </div>
    <div className="scroller actor-body" tabIndex={0} role="group" aria-labelledby="actor-title">
      {subject === undefined ? <p className="empty">There is no such actor at this moment.</p> : (
        <>
          <Facts subject={subject} now={now} />
          {subject.actor.lastError !== null && <p className="last-error"><strong>{troubleOf(subject.actor) === "had an error" ? "Last error (it recovered): " : "Last error: "}</strong>{subject.actor.lastError}</p>}
          {subject.chart === undefined
            ? <p className="empty">{subject.actor.kind === "supervisor" ? "A supervisor has no chart: it keeps the actors below it running." : "The chart of this machine is not known here."}</p>
            : <ChartFigure chart={subject.chart} active={subject.active} taken={subject.taken} />}
          {subject.chart !== undefined && <div className="columns"><Accepts accepts={subject.accepts} /><Context detail={subject.detail} /></div>}
          <Events events={subject.events} labels={labels} moment={moment} onShow={onShow} />
        </>
      )}
    </div>
  </section>
)
