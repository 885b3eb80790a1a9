/** The tree of actors. Only the rows in sight are in the document; the focus stays on the tree itself and the active row is named. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { type KeyboardEvent, useDeferredValue, useEffect, useMemo, useRef, useState } from "react"
import type { Selection } from "../page/Store.ts"
import type { ProcessTree } from "../session/trees.ts"
import { ActorRow } from "./ActorRow.tsx"
import { keyOf, rowsOf, troubleOf } from "./rows.ts"
import { treeAction, typedAhead } from "./treeKeys.ts"

const rowHeight = 24
const typingMs = 700

export const ActorTree = ({ now, onSelect, selected, trees }: {
  readonly trees: ReadonlyArray<ProcessTree>
  readonly selected: Selection | undefined
  /** Epoch milliseconds of the moment that is shown. */
  readonly now: number
  readonly onSelect: (selection: Selection) => void
}) => {
  const [text, setText] = useState("")
  const [troubled, setTroubled] = useState(false)
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  const [activeKey, setActiveKey] = useState<string>()
  const typed = useRef({ text: "", at: 0 })
  const scroller = useRef<HTMLDivElement>(null)
  const wanted = useDeferredValue(text)
  const rows = useMemo(() => rowsOf(trees, { text: wanted, troubled }, folded), [trees, wanted, troubled, folded])
  const counts = useMemo(() => {
    const actors = trees.flatMap((tree) => tree.actors)
    return { actors: actors.length, troubled: actors.filter((actor) => troubleOf(actor) !== undefined).length }
  }, [trees])
  const active = Math.max(0, rows.findIndex((row) => row.key === activeKey))
  const selectedKey = selected === undefined ? undefined : keyOf(selected.agent, selected.address)
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const items = virtual.getVirtualItems()

  useEffect(() => setActiveKey(selectedKey), [selectedKey])

  const moveTo = (index: number) => {
    const row = rows[index]
    if (row === undefined) return
    setActiveKey(row.key)
    virtual.scrollToIndex(index)
  }
  const choose = (index: number) => {
    const row = rows[index]
    if (row === undefined) return
    setActiveKey(row.key)
    onSelect({ agent: row.agent, address: row.actor?.address ?? "" })
  }
  /** Not when a mouse brought the focus: the row under it must not move away. */
  const scrollToActive = () => {
    if (scroller.current?.matches(":focus-visible") === true) virtual.scrollToIndex(active)
  }
  const fold = (keys: ReadonlyArray<string>, away: boolean) => setFolded((before) => {
    const after = new Set(before)
    for (const key of keys) {
      if (away) after.add(key)
      else after.delete(key)
    }
    return after
  })

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const typing = typed.current.text !== "" && event.timeStamp - typed.current.at < typingMs
    // A space within a name that is being typed chooses nothing.
    const action = typing && event.key === " " ? undefined : treeAction(event.key, rows, active, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight))
    if (action === undefined && event.key.length !== 1) return
    event.preventDefault()
    typed.current = { text: action !== undefined ? "" : typing ? typed.current.text + event.key : event.key, at: event.timeStamp }
    if (action === undefined) {
      const found = typedAhead(typed.current.text, rows, active)
      if (found !== undefined) moveTo(found)
    } else if ("move" in action) moveTo(action.move)
    else if ("choose" in action) choose(action.choose)
    else if ("fold" in action) fold(action.fold, true)
    else fold(action.unfold, false)
  }

  return (
    <section className="panel tree-panel" aria-labelledby="tree-title">
      <div className="panel-head">
        <h2 id="tree-title">Actors</h2>
        <input type="search" className="filter" aria-label="Filter actors by text" placeholder="address, machine, state, error" value={text} onChange={(event) => setText(event.target.value)} />
        <label className="check"><input type="checkbox" checked={troubled} onChange={(event) => setTroubled(event.target.checked)} /> only troubled ({counts.troubled})</label>
        <span className="count" role="status">{rows.filter((row) => row.fits).length} of {counts.actors}</span>
      </div>
      <div className="tree-columns tree-row" aria-hidden="true">
        <span>actor</span><span>state</span><span>for</span><span>restarts</span><span>waiting</span><span>last error</span>
      </div>
      <div
        ref={scroller} className="tree scroller" role="tree" aria-label="Actors" tabIndex={0} onKeyDown={onKeyDown}
        aria-activedescendant={items.some(({ index }) => index === active) ? `row-${active}` : undefined} onFocus={scrollToActive}
      >
        <div role="none" className="spacer" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => (
            <ActorRow
              key={rows[index]!.key} row={rows[index]!} index={index} top={start} now={now} active={index === active} selected={rows[index]!.key === selectedKey}
              onChoose={choose} onFold={fold}
            />
          ))}
        </div>
      </div>
      {rows.length === 0 && <p className="empty">{counts.actors === 0 ? "No actor to show." : "No actor fits this filter."}</p>}
    </section>
  )
}
