/** Who calls the HTTP API: a bearer token, and whose it is. */
import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { TokenId } from "../../domain/Ids.ts"
import * as Problem from "../../domain/Problems.ts"

/** Who calls, and by which token. A token of the first version is an administrator's. */
export class Principal extends Context.Service<Principal, { readonly name: string; readonly token?: TokenId }>()("gstacks/protocol/Principal") {}

export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: Principal }>()("gstacks/protocol/Authorization", {
  security: { bearer: HttpApiSecurity.bearer }, error: [Problem.Unauthorized, Problem.StoreUnavailable], requiredForClient: true
}) {}
