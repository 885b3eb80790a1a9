/** The `networks` group of the HTTP API, and the metrics of all networks. */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Aliases } from "../Aliases.ts"
import { Attachments } from "../Attachments.ts"
import { Diagnostics } from "../Diagnostics.ts"
import { NetworkDetails } from "../NetworkDetails.ts"
import { NetworkFlows } from "../NetworkFlows.ts"
import { Networks } from "../Networks.ts"
import { Reachability } from "../Reachability.ts"
import { Receipts } from "../Receipts.ts"
import { Rules } from "../Rules.ts"
import { Sessions } from "../Sessions.ts"
import { Traces } from "../Traces.ts"

const networks = HttpApiBuilder.group(Api, "networks", Effect.fnUntraced(function*(handlers) {
  const networks = yield* Networks
  const details = yield* NetworkDetails
  const attachments = yield* Attachments
  const aliases = yield* Aliases
  const rules = yield* Rules
  const reachability = yield* Reachability
  const receipts = yield* Receipts
  const diagnostics = yield* Diagnostics
  const sessions = yield* Sessions
  const traces = yield* Traces
  const flows = yield* NetworkFlows

  return handlers.handleAll({
    list: () => networks.list,
    create: ({ payload }) => networks.create(payload.name, payload.mode ?? "agent_proxy"),
    show: ({ params }) => details.show(params.network),
    remove: ({ params, query }) => networks.remove(params.network, query.cascade === "true"),
    attach: ({ params, payload }) => attachments.attach(params.network, payload.sandbox, payload.alias, payload.ports),
    detach: ({ params }) => attachments.detach(params.network, params.sandbox),
    aliases: ({ params }) => aliases.list(params.network),
    addAlias: ({ params, payload }) => aliases.add(params.network, payload.sandbox, payload.alias, payload.ports),
    removeAlias: ({ params, query }) => aliases.remove(params.network, params.alias, query.port),
    moveAlias: ({ params, payload }) => aliases.move(params.network, params.alias, payload.sandbox),
    rules: ({ params }) => rules.list(params.network),
    allow: ({ params, payload }) => rules.allow(params.network, payload.from, payload.to, { first: payload.port, last: payload.lastPort ?? payload.port }, payload),
    revoke: ({ params }) => rules.revoke(params.network, params.rule),
    explain: ({ params, query }) => reachability.explain(params.network, query),
    reachable: ({ params, query }) => reachability.pairs(params.network, query),
    resolve: ({ params }) => Effect.map(aliases.resolve(params.network, params.alias), (found) => ({ ...found, agentOnline: found.agentId !== null && sessions.isOnline(found.agentId) })),
    test: ({ params, payload, query }) => diagnostics.test(params.network, payload, query.waitMs ?? 0),
    tests: ({ params }) => diagnostics.list(params.network),
    testRun: ({ params, query }) => diagnostics.show(params.network, params.run, query),
    trace: ({ params, payload }) => traces.trace(params.network, payload),
    cancelTest: ({ params }) => diagnostics.cancel(params.network, params.run),
    flows: ({ params, query: { denied, apart, ...asked } }) => flows.list(params.network, { ...asked, denied: denied === "true", apart: apart === "true" }),
    metrics: ({ params }) => flows.metrics(params.network),
    receipt: ({ params, query }) => receipts.of(params.network, params.version, query)
  })
}))

const metrics = HttpApiBuilder.group(Api, "metrics", Effect.fnUntraced(function*(handlers) {
  const flows = yield* NetworkFlows
  return handlers.handleAll({ all: () => flows.openMetrics })
}))

export const layer = Layer.mergeAll(networks, metrics)
