/** Everything about one network on one page: what users made of it, and how far each agent is. */
import { Context, Effect, Layer } from "effect"
import type { AgentVersion, NetworkDetail } from "../domain/Network.ts"
import { Aliases } from "./Aliases.ts"
import { Attachments } from "./Attachments.ts"
import { Limits } from "./Limits.ts"
import { LocalNodes } from "./LocalNodes.ts"
import { Networks } from "./Networks.ts"
import { Participants } from "./Participants.ts"
import { Publishers } from "./Publishers.ts"
import { Rules } from "./Rules.ts"
import { Sessions } from "./Sessions.ts"

const make = Effect.gen(function*() {
  const networks = yield* Networks
  const attachments = yield* Attachments
  const aliases = yield* Aliases
  const rules = yield* Rules
  const limits = yield* Limits
  const participants = yield* Participants
  const sessions = yield* Sessions
  const localNodes = yield* LocalNodes
  const publishers = yield* Publishers

  return {
    show: Effect.fn("NetworkDetails.show")(function*(ref: string) {
      const network = yield* networks.show(ref)
      const agents = (yield* participants.ofNetwork(network.id))
        .filter((agent) => agent.leftVersion === null || (agent.applied ?? 0) < agent.leftVersion)
        .map((agent): AgentVersion => {
          const online = sessions.isOnline(agent.agentId)
          const reason = online ? sessions.trouble(agent.agentId, network.id) ?? null : "is not connected"
          return { agentId: agent.agentId, agent: agent.agent, online, applied: agent.applied, joined: agent.joined, reason }
        })
      return {
        network, agents, attachments: yield* attachments.list(network.id), aliases: yield* aliases.list(network.id), rules: yield* rules.list(network.id), limits: yield* limits.list(network.id),
        localNodes: yield* localNodes.list(network.id), publishers: yield* publishers.list(network.id)
      } satisfies NetworkDetail
    })
  }
})

export class NetworkDetails extends Context.Service<NetworkDetails, Effect.Success<typeof make>>()("gstacks/control/NetworkDetails") {
  static readonly layer = Layer.effect(NetworkDetails, make)
}
