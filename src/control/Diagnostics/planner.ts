/** From what a user typed to what has to be asked of whom. */
import { Effect, Option } from "effect"
import { notPublished } from "../Aliases.ts"
import { Lookups } from "../Lookups.ts"
import { Rules } from "../Rules.ts"
import { endings, lastChange } from "../Rules/lastChange.ts"
import { stored } from "../Store.ts"
import { Topologies } from "../Topologies.ts"
import { planOf } from "./plan.ts"

export interface TestRequest { readonly source: string; readonly alias: string; readonly port: number }

export const planner = Effect.gen(function*() {
  const changed = yield* lastChange
  const lookups = yield* Lookups
  const rules = yield* Rules
  const topologies = yield* Topologies

  return Effect.fnUntraced(function*(ref: string, { source: written, alias: name, port }: TestRequest, now: number) {
    const network = yield* stored(lookups.network(ref))
    const source = yield* rules.bind(network, written)
    const topology = yield* topologies.load(network.id)
    if (Option.isNone(topology)) return yield* stored(lookups.noNetwork(ref))
    const alias = topology.value.aliases.find((candidate) => candidate.name === name)
    if (alias === undefined) return yield* stored(lookups.noAlias(network, name))
    if (!alias.ports.some((published) => published === port)) return yield* notPublished(network, alias, port)
    const lost = yield* changed(network, { alias, port, from: written, actions: endings })
    return { network, plan: planOf(topology.value, source, written, alias, port, now, lost) }
  })
})
