/** The `policy` group of the HTTP API. */
import { Clock, Effect } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { replay } from "../../domain/PolicyReplay.ts"
import { Api } from "../../protocol/http/Api.ts"
import type { Proposal } from "../../protocol/http/PolicyApi.ts"
import { Aliases } from "../Aliases.ts"
import { Attachments } from "../Attachments.ts"
import { NetworkFlows } from "../NetworkFlows.ts"
import { Policies } from "../Policies.ts"
import { Previews } from "../Previews.ts"
import { Rules } from "../Rules.ts"

const dayMs = 86_400_000

export const layer = HttpApiBuilder.group(Api, "policy", Effect.fnUntraced(function*(handlers) {
  const policies = yield* Policies
  const previews = yield* Previews
  const rules = yield* Rules
  const attachments = yield* Attachments
  const aliases = yield* Aliases
  const flows = yield* NetworkFlows

  const diff = (network: string, proposal: Proposal) => {
    switch (proposal._tag) {
      case "Apply": return previews.diff(network, policies.apply(network, proposal.policy, proposal.ifVersion))
      case "Allow": return previews.diff(network, rules.allow(network, proposal.from, proposal.to, { first: proposal.port, last: proposal.lastPort ?? proposal.port }, proposal))
      case "Revoke": return previews.diff(network, rules.revoke(network, proposal.rule))
      case "Detach": return previews.diff(network, attachments.detach(network, proposal.sandbox))
      case "RemoveAlias": return previews.diff(network, aliases.remove(network, proposal.alias, proposal.port))
      case "MoveAlias": return previews.diff(network, aliases.move(network, proposal.alias, proposal.sandbox))
    }
  }

  return handlers.handleAll({
    show: Effect.fnUntraced(function*({ params }) {
      const policy = yield* policies.show(params.network)
      yield* HttpEffect.appendPreResponseHandler((_request, response) => Effect.succeed(HttpServerResponse.setHeader(response, "etag", `"${policy.version}"`)))
      return policy
    }),
    apply: ({ params, payload, headers }) => {
      const version = headers["if-match"]
      return policies.apply(params.network, payload, version === undefined ? undefined : Number(version.replaceAll("\"", "")))
    },
    diff: ({ params, payload }) => diff(params.network, payload),
    replay: Effect.fnUntraced(function*({ params, payload: { policy, withinMs = dayMs } }) {
      const { before: { network }, after } = yield* previews.around(params.network, policies.apply(params.network, policy))
      const now = yield* Clock.currentTimeMillis
      const recorded = yield* flows.groups(network.id, { withinMs, open: false })
      return { network: network.name, version: network.version, since: now - withinMs, ...replay(recorded, after.topology, after.rules, now) }
    })
  })
}))
