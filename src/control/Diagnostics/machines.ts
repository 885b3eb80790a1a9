/** Developers' joined machines as sources: what is asked of them, and what it means when they do not answer. */
import { Effect, Option } from "effect"
import type { Looker } from "../../domain/Diagnostic.ts"
import type { Topology, TopologyLocalNode } from "../../domain/Topology.ts"
import type { LocalAnswer } from "../../protocol/http/LocalNodesApi.ts"
import { type Asked, Questions } from "../LocalNodes/Questions.ts"

export const lookerOf = ({ user }: TopologyLocalNode): Looker => `local:${user}`

/** Why it is not heard of, and what to do there. */
export interface Silent { readonly reason: string; readonly next: string }

export const asker = Effect.map(Questions, (questions) => <Tag extends LocalAnswer["_tag"]>(
  network: Topology, machine: TopologyLocalNode, question: Extract<Asked, { readonly _tag: Tag }>, withinMs: number
): Effect.Effect<Extract<LocalAnswer, { readonly _tag: Tag }>, Silent> => Effect.flatMap(questions.ask(machine.id, question, withinMs), Option.match({
  onNone: () => Effect.fail({
    reason: `the joined machine of ${machine.user} (${machine.address}) does not answer: it sleeps, is offline, or joined with an older gstacks`,
    next: `on that machine: gstacks mesh status; join again: gstacks mesh join ${network.name}`
  }),
  onSome: (answer) => Effect.succeed(answer as Extract<LocalAnswer, { readonly _tag: Tag }>) // `Questions` lets only that kind pass
})))
