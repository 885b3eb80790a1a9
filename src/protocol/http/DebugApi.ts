/**
 * Looking into the actors over HTTP, read only: of the control plane, and through it of every agent. An agent serves the same paths for
 * itself alone while somebody inspects it. In each query `agent` names an agent; without it the process that answers is meant.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Problem from "../../domain/Problems.ts"
import { ActorDetail, Chart, JournalPage, ProcessActors } from "../../domain/Sight.ts"
import { Authorization } from "./Authorization.ts"

const Count = Schema.NumberFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const agent = { agent: Schema.optionalKey(Schema.String) }
const errors = [Problem.AgentNotFound, Problem.AgentUnavailable, Problem.StoreUnavailable] as const

export class DebugGroup extends HttpApiGroup.make("debug").add(
  /** One process, or with `scope=cluster` the control plane and every agent; one that does not answer says why in `problem`. */
  HttpApiEndpoint.get("actors", "/actors", {
    query: { ...agent, scope: Schema.optionalKey(Schema.Literals(["process", "cluster"])) }, success: Schema.Array(ProcessActors), error: [...errors]
  }),
  HttpApiEndpoint.get("actor", "/actor", { query: { ...agent, address: Schema.String }, success: ActorDetail, error: [Problem.ActorNotFound, ...errors] }),
  /** Of every machine that runs in that process. */
  HttpApiEndpoint.get("charts", "/charts", { query: agent, success: Schema.Array(Chart), error: [...errors] }),
  /** Entries of one address and all below it after a sequence number of the process `instance` (default: from the oldest kept, as when another process answers), at most `limit` (1,000); waits at most `waitMs` (30,000) for a first one. */
  HttpApiEndpoint.get("journal", "/journal", {
    query: { ...agent, prefix: Schema.optionalKey(Schema.String), after: Schema.optionalKey(Count), instance: Schema.optionalKey(Schema.String), limit: Schema.optionalKey(Count), waitMs: Schema.optionalKey(Count) },
    success: JournalPage, error: [...errors]
  })
).middleware(Authorization).prefix("/api/v1/debug") {}
