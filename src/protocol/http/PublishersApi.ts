/** Who may publish ports of joined machines in a network. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Problem from "../../domain/Problems.ts"
import { Publisher } from "../../domain/Publication.ts"
import { Change } from "../../domain/Receipt.ts"
import { UserName } from "../../domain/Selector.ts"
import { Authorization } from "./Authorization.ts"
import { Ref } from "./PolicyApi.ts"

const params = { network: Ref }
const one = { ...params, user: UserName }
const changed = Schema.Struct({ value: Publisher, change: Change })

export class PublishersGroup extends HttpApiGroup.make("publishers").add(
  HttpApiEndpoint.get("list", "/", { params, success: Schema.Array(Publisher), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.put("allow", "/:user", { params: one, success: changed, error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  /** What the user publishes there ends at once. */
  HttpApiEndpoint.delete("revoke", "/:user", { params: one, success: changed, error: [Problem.NetworkNotFound, Problem.PublisherNotFound, Problem.StoreUnavailable] })
).middleware(Authorization).prefix("/api/v1/networks/:network/publishers") {}
