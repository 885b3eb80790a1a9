/** What is to be done about a change that concerns an agent when nobody is told whether it was stored. */
import { Effect } from "effect"
import type { AgentId } from "../domain/Ids.ts"
import { StoreUnavailable } from "../domain/Problems.ts"
import type { Sessions } from "./Sessions.ts"

/**
 * A database that fails may have stored what was under way. The agent connects anew then: it is let in or not, and asks which sandboxes it
 * ought to have. `change` says which agent it is, as soon as it knows.
 */
export const askingAnew = <A, E, R>(sessions: Sessions["Service"], change: (concerns: (agent: AgentId) => void) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let agent: AgentId | undefined
    return Effect.tapError(change((id) => { agent = id }), (error) => error instanceof StoreUnavailable && agent !== undefined ? sessions.close(agent) : Effect.void)
  })
