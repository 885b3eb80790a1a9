/**
 * Where agents connect: a WebSocket that carries `ControlRpcs`, and inside it the calls of the other direction (`AgentRpcs`). The
 * credential is checked at the upgrade; an agent with two connections keeps the newer one, because a restarted agent must not
 * wait for its own ghost.
 */
import { Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { RpcServer } from "effect/rpc"
import { ControlRpcs } from "../protocol/agent/ControlRpcs.ts"
import * as Authentication from "./AgentGateway/Authentication.ts"
import * as Connections from "./AgentGateway/Connections.ts"
import { handlers } from "./AgentGateway/handlers.ts"
import { unauthorized } from "../protocol/http/problems.ts"

export const path = "/api/v1/agent"

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const credentials = yield* Authentication.Credentials
  const { protocol, serve } = yield* Connections.make
  yield* RpcServer.make(ControlRpcs, { disableTracing: true }).pipe(Effect.provideService(RpcServer.Protocol, protocol), Effect.forkScoped)
  yield* router.add("GET", path, Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const agent = yield* credentials.admit(request.headers)
    if (Option.isSome(agent)) return yield* Effect.as(serve(agent.value, request), HttpServerResponse.empty())
    return unauthorized("The agent's credential is not known; the agent may have been removed.", "Enrol the host again: gstacks agent token create")
  }))
})).pipe(
  Layer.provide(handlers),
  Layer.provide(Authentication.middleware),
  Layer.provide(Authentication.Credentials.layer)
)
