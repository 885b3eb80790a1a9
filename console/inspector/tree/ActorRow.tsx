/** One row of the tree: a process or an actor. */
import { span } from "../page/time.ts"
import { type Row, troubleOf } from "./rows.ts"

/** What the columns say to eyes, in words. */
const Said = ({ children }: { readonly children: string }) => <span className="visually-hidden">{children}</span>

export const ActorRow = ({ active, index, now, onChoose, onFold, row, selected, top }: {
  readonly row: Row
  readonly index: number
  readonly top: number
  readonly now: number
  readonly active: boolean
  readonly selected: boolean
  readonly onChoose: (index: number) => void
  readonly onFold: (keys: ReadonlyArray<string>, away: boolean) => void
}) => {
  const { actor, expandable, expanded, key, level, name, position, problem, siblings } = row
  const age = actor === undefined || actor.since === 0 ? "" : span(now - actor.since)
  const trouble = actor === undefined ? problem : troubleOf(actor)
  return (
    <div
      id={`row-${index}`} role="treeitem" aria-level={level} aria-posinset={position} aria-setsize={siblings} aria-selected={selected}
      aria-expanded={expandable ? expanded : undefined}
      className={`tree-row${active ? " active" : ""}${selected ? " selected" : ""}${trouble === null || trouble === undefined ? "" : " troubled"}`}
      style={{ transform: `translateY(${top}px)` }} onClick={() => onChoose(index)}
    >
      <span className="name" title={actor?.address} style={{ paddingLeft: (level - 1) * 14 }}>
        <span className="twist" aria-hidden="true" onClick={expandable ? (event) => { event.stopPropagation(); onFold([key], expanded) } : undefined}>{expandable ? expanded ? "▾" : "▸" : ""}</span>
        {actor === undefined ? <strong>{name}</strong> : name}
      </span>
      {actor === undefined ? problem === null ? null : <span className="problem"><Said>problem: </Said>{problem}</span> : (
        <>
          <span className="state">
            <Said>{`${actor.kind} ${actor.machine} `}</Said>
            {trouble === undefined ? null : <span className="mark" aria-hidden="true" title={trouble ?? undefined}>!</span>}
            {actor.status === "running" || actor.status === actor.state ? actor.state : `${actor.state} (${actor.status})`}
          </span>
          <span className="age">{age === "" ? null : <><Said>for </Said>{age}</>}</span>
          <span className="number">{actor.restarts === 0 ? null : <>{actor.restarts}<Said> restarts</Said></>}</span>
          <span className="number">{actor.mailbox === 0 ? null : <>{actor.mailbox}<Said> events waiting</Said></>}</span>
          <span className="error" title={actor.lastError ?? undefined}>{actor.lastError === null ? null : <><Said>last error: </Said>{actor.lastError}</>}</span>
        </>
      )}
    </div>
  )
}
