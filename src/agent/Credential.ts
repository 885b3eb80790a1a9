/**
 * Who this agent is. A single-use enrolment token is traded once for a credential of its own, which then stays on disk
 * (mode 0600) and is all that later starts need.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { join } from "node:path"
import { Credentials, credentialState, type NoCredential } from "../actors/machines/agentLink.ts"
import type { AgentName } from "../domain/DnsLabel.ts"
import { Config } from "./Config.ts"
import { load, store } from "./files.ts"
import { Knowledge } from "./Knowledge.ts"

const Problem = Schema.Struct({ detail: Schema.String, hint: Schema.String })

export class Credential extends Context.Service<Credential, {
  /** Loads it, or enrols. */
  readonly ensure: Effect.Effect<Credentials, NoCredential>
}>()("gstacks/agent/Credential") {
  /** Tells the agent's knowledge who it is, when it is enrolled already. */
  static readonly layer = Layer.effect(Credential, Effect.suspend(() => make()))
}

const make = Effect.fnUntraced(function*() {
  const config = yield* Config
  const knowledge = yield* Knowledge
  const path = join(config.stateDir, "credential.json")
  let known = Option.getOrUndefined(yield* load(path, credentialState))
  const remember = (credentials: Credentials): Credentials => {
    known = credentials
    knowledge.identity = { agentId: credentials.agentId, name: credentials.name }
    return credentials
  }
  if (known !== undefined) remember(known)

  const ensure = Effect.gen(function*() {
    if (known !== undefined) return known
    if (config.enrolmentToken === undefined) {
      return yield* Effect.fail({ refused: true, reason: "this agent is not enrolled; create a token with: gstacks agent token create, and start the agent with GLOBALSTACKS_AGENT_ENROLMENT_TOKEN set to it" })
    }
    const credentials = yield* enrol(config.controlUrl, config.enrolmentToken, config.name)
    yield* store(path, credentialState, credentials).pipe(Effect.mapError((error): NoCredential => ({ refused: false, reason: error.message })))
    yield* Effect.logInfo(`enrolled as ${credentials.name} (${credentials.agentId})`)
    return remember(credentials)
  })
  return Credential.of({ ensure })
})

const enrol = Effect.fnUntraced(function*(controlUrl: string, token: string, name: AgentName): Effect.fn.Return<Credentials, NoCredential> {
  const away = (reason: string): NoCredential => ({ refused: false, reason: `enrolling at ${controlUrl}: ${reason}` })
  const fetch = yield* FetchHttpClient.Fetch
  const [status, body] = yield* Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`${controlUrl}/api/v1/enrolments`, {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token, name }), signal, redirect: "error"
      })
      return [response.status, await response.text()] as const
    },
    catch: (error) => away(error instanceof Error ? String(error.cause ?? error.message) : String(error))
  }).pipe(Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.fail(away("no answer within 10 s")) }))
  if (status === 201) return yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Credentials))(body).pipe(Effect.mapError((error) => away(error.message)))
  const problem = Schema.decodeUnknownOption(Schema.fromJsonString(Problem))(body)
  const said = Option.match(problem, { onNone: () => `HTTP ${status}`, onSome: ({ detail, hint }) => `${detail}; ${hint}` })
  return yield* Effect.fail({ refused: status >= 400 && status < 500 && status !== 429, reason: `the control plane refused the enrolment: ${said}` })
})
