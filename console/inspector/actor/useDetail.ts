/** Asks the server about one actor while it is shown as it is now: at once, after each of its events, and now and then for its context. */
import { useEffect, useState } from "react"
import type { ActorDetail } from "../../../src/domain/Sight.ts"
import type { DebugApi } from "../source/DebugApi.ts"

const everyMs = 5000

export const useDetail = (api: DebugApi | undefined, agent: string | null, address: string, changed: unknown): ActorDetail | undefined => {
  const [detail, setDetail] = useState<{ readonly of: string; readonly is: ActorDetail }>()
  const of = `${agent ?? ""}\n${address}`
  useEffect(() => {
    if (api === undefined) return
    const asked = new AbortController()
    // A failure is told by those who follow the process; the last answer stays.
    const ask = () => void api.actor(agent, address, asked.signal).then((is) => setDetail({ of, is }), () => {})
    ask()
    const timer = setInterval(ask, everyMs)
    return () => {
      asked.abort()
      clearInterval(timer)
    }
  }, [api, agent, address, of, changed])
  return detail?.of === of ? detail.is : undefined
}
