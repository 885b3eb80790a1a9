/** The `agents` and `enrolment` groups of the HTTP API. */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Agents } from "../Agents.ts"
import { MeshNodes } from "../MeshNodes.ts"

const agents = HttpApiBuilder.group(Api, "agents", Effect.fnUntraced(function*(handlers) {
  const agents = yield* Agents
  const nodes = yield* MeshNodes
  return handlers.handleAll({
    list: () => agents.list,
    show: ({ params }) => agents.show(params.agent),
    remove: ({ params }) => Effect.tap(agents.remove(params.agent), nodes.request)
  })
}))

const enrolment = HttpApiBuilder.group(Api, "enrolment", Effect.fnUntraced(function*(handlers) {
  const agents = yield* Agents
  return handlers.handleAll({ enrol: ({ payload }) => agents.enrol(payload.token, payload.name) })
}))

export const layer = Layer.mergeAll(agents, enrolment)
