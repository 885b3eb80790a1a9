/** The `networks` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Aliases } from "../Aliases.ts"
import { Attachments } from "../Attachments.ts"
import { Diagnostics } from "../Diagnostics.ts"
import { NetworkDetails } from "../NetworkDetails.ts"
import { Networks } from "../Networks.ts"
import { Receipts } from "../Receipts.ts"
import { Rules } from "../Rules.ts"
import { Sessions } from "../Sessions.ts"

export const layer = HttpApiBuilder.group(Api, "networks", Effect.fnUntraced(function*(handlers) {
  const networks = yield* Networks
  const details = yield* NetworkDetails
  const attachments = yield* Attachments
  const aliases = yield* Aliases
  const rules = yield* Rules
  const receipts = yield* Receipts
  const diagnostics = yield* Diagnostics
  const sessions = yield* Sessions

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
    allow: ({ params, payload }) => rules.allow(params.network, payload.from, payload.to, payload.port),
    revoke: ({ params }) => rules.revoke(params.network, params.rule),
    resolve: ({ params }) => Effect.map(aliases.resolve(params.network, params.alias), (found) => ({ ...found, agentOnline: sessions.isOnline(found.agentId) })),
    test: ({ params, payload }) => diagnostics.test(params.network, payload),
    receipt: ({ params, query }) => receipts.of(params.network, params.version, query)
  })
}))
