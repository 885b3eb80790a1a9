/** Every path of the control plane: the API with its description, liveness, and a problem document for the rest. */
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import * as AgentGateway from "../AgentGateway.ts"
import * as AgentsHttp from "../Agents/Http.ts"
import * as Authorization from "../Authorization.ts"
import * as NetworksHttp from "../Networks/Http.ts"
import * as SandboxesHttp from "../Sandboxes/Http.ts"
import * as TokensHttp from "../Tokens/Http.ts"
import { requestProblems, unknownRoute } from "./problems.ts"

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(Layer.mergeAll(NetworksHttp.layer, SandboxesHttp.layer, AgentsHttp.layer, TokensHttp.layer)),
  Layer.provide(Authorization.layer),
  Layer.provide(requestProblems)
)

export const layer = Layer.mergeAll(api, AgentGateway.layer, HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok\n")), unknownRoute)
