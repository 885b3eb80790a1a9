/** What is looked at and how that goes, and what one can do with it as a whole. */
import { useRef } from "react"
import { dateAndClock } from "./time.ts"
import type { Source } from "./Store.ts"
import { type Theme, useTheme } from "./theme.ts"

const links = { connecting: "connecting", connected: "live", lost: "connection lost", refused: "not logged in" } as const

const Told = ({ source }: { readonly source: Source }) => {
  if (source.kind === "none") return <span className="faint">nothing open</span>
  if (source.kind === "file") return <span>recording <strong>{source.name}</strong> <span className="faint">of {dateAndClock(source.at)}, {source.product}</span></span>
  return <span className={`link-state ${source.link}`}><span className="dot" aria-hidden="true" />{links[source.link]} <span className="faint">{location.host}</span></span>
}

export const Header = ({ canSave, onOpen, onReturn, onSave, source }: {
  readonly source: Source
  readonly canSave: boolean
  readonly onOpen: (file: File) => void
  readonly onSave: () => void
  /** From a recording to the server, when there is one. */
  readonly onReturn: (() => void) | undefined
}) => {
  const [theme, setTheme] = useTheme()
  const chooser = useRef<HTMLInputElement>(null)
  return (
    <header>
      <h1>Inspector</h1>
      <div role="status" className="source"><Told source={source} /></div>
      <input
        ref={chooser} type="file" hidden aria-hidden="true" tabIndex={-1}
        onChange={(event) => {
          const file = event.target.files?.[0]
          if (file !== undefined) onOpen(file)
          event.target.value = ""
        }}
      />
      {onReturn !== undefined && <button type="button" onClick={onReturn}>Back to the server</button>}
      <button type="button" onClick={() => chooser.current?.click()}>Open a recording…</button>
      <button type="button" onClick={onSave} disabled={!canSave}>Save what was seen</button>
      <label className="check">colours{" "}
        <select value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
          <option value="system">system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
    </header>
  )
}
