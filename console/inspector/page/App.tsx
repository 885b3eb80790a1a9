/** The whole page: tree, actor and journal, all at the same moment. */
import { type DragEvent, useEffect, useMemo, useState } from "react"
import { eventLabels } from "../../../src/domain/Sight/eventLabels.ts"
import { eventsOf, subjectOf } from "../actor/subject.ts"
import { useDetail } from "../actor/useDetail.ts"
import { ActorView } from "../actor/ActorView.tsx"
import { JournalPanel } from "../journal/JournalPanel.tsx"
import { positionOf } from "../session/timeline.ts"
import { treesAt } from "../session/trees.ts"
import { ActorTree } from "../tree/ActorTree.tsx"
import { processName } from "../tree/rows.ts"
import { Contained } from "./Contained.tsx"
import { Header } from "./Header.tsx"
import { Login } from "./Login.tsx"
import { type Store, useStore } from "./Store.ts"

/** So that ages go on while nothing happens. */
const useNow = (): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}

const isFile = (event: DragEvent): boolean => event.dataTransfer.types.includes("Files")

export const App = ({ store }: { readonly store: Store }) => {
  const { moment, notice, selected, session, source } = useStore(store)
  const clockNow = useNow()
  const [dragging, setDragging] = useState(false)
  const live = source.kind === "server"
  const trees = useMemo(() => treesAt(session, moment), [session, moment])
  const labels = useMemo(() => eventLabels(session.processes.flatMap(({ charts }) => charts)), [session.processes])
  const position = positionOf(session.timeline, moment)
  const shownAt = session.timeline[position - 1]?.entry.at
  const now = live && moment === "now" ? clockNow : shownAt ?? (source.kind === "file" ? source.at : clockNow)

  const tree = selected === undefined ? undefined : trees.find(({ log }) => log.agent === selected.agent)
  const isAsked = live && moment === "now" && tree?.actors.some((actor) => actor.address === selected?.address) === true
  const events = useMemo(() => selected === undefined ? [] : eventsOf(session.timeline, position, selected.agent, selected.address), [selected, session.timeline, position])
  const told = useDetail(isAsked ? store.api() : undefined, selected?.agent ?? null, selected?.address ?? "", events[0])
  const detail = isAsked ? told : undefined
  const subject = useMemo(() => tree === undefined || selected === undefined ? undefined : subjectOf(tree, selected.address, events, detail), [tree, selected, events, detail])

  return (
    <div
      className={`page${dragging ? " dragging" : ""}`}
      onDragOver={(event) => { if (isFile(event)) { event.preventDefault(); setDragging(true) } }}
      onDragLeave={(event) => { if (event.currentTarget === event.target) setDragging(false) }}
      onDrop={(event) => {
        if (!isFile(event)) return
        event.preventDefault()
        setDragging(false)
        const file = event.dataTransfer.files[0]
        if (file !== undefined) void store.open(file)
      }}
    >
      <Header source={source} canSave={session.processes.length > 0} onReturn={source.kind === "file" ? store.back() : undefined} onOpen={(file) => void store.open(file)} onSave={store.save} />
      <div role="alert" className="notices">
        {notice !== undefined && (
          <p className="notice"><strong>{notice.text}</strong>{notice.hint === "" ? "" : <span> {notice.hint}</span>} <button type="button" onClick={store.dismiss}>Dismiss</button></p>
        )}
      </div>
      {source.kind === "server" && source.link === "refused" && <Login onToken={store.connect} />}
      <main>
        <ActorTree trees={trees} selected={selected} now={now} onSelect={store.select} />
        {selected === undefined
          ? <section className="panel actor empty-panel" aria-label="Actor"><p className="empty">Choose an actor to see its chart.</p></section>
          : selected.address === ""
          ? <section className="panel actor empty-panel" aria-label="Process"><p className="empty">{processName(selected.agent)}{tree?.log.problem === null || tree === undefined ? `: ${tree?.actors.length ?? 0} actors.` : `: ${tree.log.problem}`}</p></section>
          : <Contained what="This actor" of={selected}><ActorView selection={selected} subject={subject} now={now} labels={labels} moment={moment} onShow={store.show} /></Contained>}
        <JournalPanel session={session} moment={moment} selected={selected} live={live} labels={labels} onShow={store.show} />
      </main>
    </div>
  )
}
