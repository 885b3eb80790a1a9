/** Which agent a connection belongs to, by the credential it was opened with. Every message carries it, so answers are kept for a few seconds. */
import { Cache, Context, Effect, Exit, Layer, Option, Schedule } from "effect"
import type { Headers } from "effect/http"
import type { StoreUnavailable } from "../../domain/Problems.ts"
import { AgentAuthorization, AgentIdentity, CredentialRefused } from "../../protocol/agent/ControlRpcs.ts"
import { Agents } from "../Agents.ts"
import type { AgentRow } from "../Lookups.ts"

/** How long a removed agent's credential may still work on an open connection of another replica: the one that removes it closes its own. */
const remembered = "5 seconds"
/** How often a message that cannot be judged asks again. */
const retryEvery = "500 millis"

export class Credentials extends Context.Service<Credentials, {
  /** Asks the database: for a connection that is to be opened. */
  readonly admit: (headers: Headers.Headers) => Effect.Effect<Option.Option<AgentRow>, StoreUnavailable>
  /** For a message on an open one. */
  readonly check: (headers: Headers.Headers) => Effect.Effect<Option.Option<AgentRow>, StoreUnavailable>
}>()("gstacks/control/Credentials") {
  static readonly layer = Layer.effect(Credentials, Effect.gen(function*() {
    const agents = yield* Agents
    const cache = yield* Cache.makeWith(agents.authenticate, { capacity: 10_000, timeToLive: (exit) => Exit.isSuccess(exit) ? remembered : 0 })
    const asking = (whom: (bearer: string) => Effect.Effect<Option.Option<AgentRow>, StoreUnavailable>) => (headers: Headers.Headers) => {
      const bearer = /^bearer (\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
      return bearer === undefined ? Effect.succeedNone : whom(bearer)
    }
    return Credentials.of({ admit: asking(agents.authenticate), check: asking((bearer) => Cache.get(cache, bearer)) })
  }))
}

export const middleware = Layer.effect(AgentAuthorization, Effect.gen(function*() {
  const credentials = yield* Credentials
  return AgentAuthorization.of((effect, { headers }) => Effect.gen(function*() {
    // While the database is away nothing is known: the message waits. To refuse would send the agent away for minutes.
    const agent = yield* Effect.orDie(Effect.retry(credentials.check(headers), Schedule.spaced(retryEvery)))
    if (Option.isNone(agent)) return yield* new CredentialRefused({ message: "The agent's credential is not known (any more)." })
    return yield* Effect.provideService(effect, AgentIdentity, agent.value)
  }))
}))
