/** Every path of the control plane: the API with its description, the inspector page, liveness, and a problem document for the rest. */
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import * as InspectorPage from "../../protocol/http/InspectorPage.ts"
import { requestProblems, unknownRoute } from "../../protocol/http/problems.ts"
import * as AgentGateway from "../AgentGateway.ts"
import * as AgentsHttp from "../Agents/Http.ts"
import * as Authorization from "../Authorization.ts"
import * as DebugHttp from "../Debug/Http.ts"
import * as LimitsHttp from "../Limits/Http.ts"
import * as LocalNodesHttp from "../LocalNodes/Http.ts"
import * as NetworksHttp from "../Networks/Http.ts"
import * as PolicyHttp from "../Policies/Http.ts"
import * as PublishersHttp from "../Publishers/Http.ts"
import * as SandboxesHttp from "../Sandboxes/Http.ts"
import * as TokensHttp from "../Tokens/Http.ts"

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(Layer.mergeAll(NetworksHttp.layer, PolicyHttp.layer, LimitsHttp.layer, LocalNodesHttp.layer, PublishersHttp.layer, SandboxesHttp.layer, AgentsHttp.layer, TokensHttp.layer, DebugHttp.layer)),
  Layer.provide(Authorization.layer),
  Layer.provide(requestProblems)
)

/** `page`: the folder of the inspector page's files. */
export const layer = (page: string) =>
  Layer.mergeAll(api, AgentGateway.layer, InspectorPage.layer(page), HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok\n")), unknownRoute)
