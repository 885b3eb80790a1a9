/** Limits of streams in a network: each is on an alias or on an attached sandbox, of which exactly one is named. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AliasName } from "../../domain/DnsLabel.ts"
import { Limit, LimitTerms } from "../../domain/Limit.ts"
import * as Problem from "../../domain/Problems.ts"
import { Change } from "../../domain/Receipt.ts"
import { Authorization } from "./Authorization.ts"
import { Ref } from "./PolicyApi.ts"

const params = { network: Ref }
const on = { alias: Schema.optionalKey(AliasName), sandbox: Schema.optionalKey(Ref) }
const changed = Schema.Struct({ value: Limit, change: Change })
const notThere = [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.SandboxNotFound, Problem.NotAttached] as const

export class LimitsGroup extends HttpApiGroup.make("limits").add(
  HttpApiEndpoint.get("list", "/", { params, success: Schema.Array(Limit), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  /** In place of the limit that is there; it cuts no stream that is open. */
  HttpApiEndpoint.put("set", "/", { params, payload: Schema.Struct({ ...on, ...LimitTerms.fields }), success: changed, error: [...notThere, Problem.InvalidRequest, Problem.StoreUnavailable] }),
  HttpApiEndpoint.delete("clear", "/", { params, query: on, success: changed, error: [...notThere, Problem.LimitNotFound, Problem.InvalidRequest, Problem.StoreUnavailable] })
).middleware(Authorization).prefix("/api/v1/networks/:network/limits") {}
