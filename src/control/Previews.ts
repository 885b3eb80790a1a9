/**
 * Shows what a change would do: makes it in a transaction, looks at what came of it, and takes all of it back. Nobody else sees anything.
 * Where somebody would lose a right, the agents are asked which open streams that would end.
 */
import { Clock, Context, Data, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import { cutFlows, noneCut } from "../domain/CutFlows.ts"
import type { Rule } from "../domain/Network.ts"
import { diffPairs, diffRules, type PolicyDiff } from "../domain/PolicyDiff.ts"
import { reaches, usersIn } from "../domain/Reachability.ts"
import type { Topology } from "../domain/Topology.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { NetworkFlows } from "./NetworkFlows.ts"
import { RuleStore, toRule } from "./Rules/RuleStore.ts"
import { stored } from "./Store.ts"
import { Topologies } from "./Topologies.ts"

interface Sight { readonly network: NetworkRow; readonly topology: Topology; readonly rules: ReadonlyArray<Rule> }

class TakenBack extends Data.TaggedError("TakenBack")<{ readonly before: Sight; readonly after: Sight }> {}

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const networkFlows = yield* NetworkFlows
  const rules = yield* RuleStore
  const topologies = yield* Topologies

  const look = Effect.fnUntraced(function*(ref: string) {
    const network = yield* lookups.lockNetwork(ref)
    const topology = Option.getOrThrow(yield* topologies.load(network.id))
    return { network, topology, rules: (yield* rules.of(network.id)).map(toRule) } satisfies Sight
  })

  /** The network before and after `change`. */
  const around = Effect.fn("Previews.around")(function*<A, E, R>(ref: string, change: Effect.Effect<A, E, R>) {
    return yield* stored(sql.withTransaction(Effect.gen(function*() {
      const before = yield* look(ref)
      yield* change
      return yield* new TakenBack({ before, after: yield* look(before.network.id) })
    }))).pipe(Effect.catchIf((error): error is TakenBack => error instanceof TakenBack, Effect.succeed))
  })

  return {
    around,
    diff: Effect.fn("Previews.diff")(function*<A, E, R>(ref: string, change: Effect.Effect<A, E, R>) {
      const { before, after } = yield* around(ref, change)
      const now = yield* Clock.currentTimeMillis
      const users = new Set([...usersIn(before.topology), ...usersIn(after.topology)])
      const pairsOf = ({ topology }: Sight) => reaches(topology, topology.aliases, undefined, now, users)
      const pairs = diffPairs(pairsOf(before), pairsOf(after))
      const flows = pairs.lost.length === 0 ? noneCut : cutFlows(yield* networkFlows.groups(before.network.id, { withinMs: 0, open: true }), before.topology, after.topology, now)
      return { network: before.network.name, version: before.network.version, rules: diffRules(before.rules, after.rules), pairs, flows } satisfies PolicyDiff
    })
  }
})

export class Previews extends Context.Service<Previews, Effect.Success<typeof make>>()("gstacks/control/Previews") {
  static readonly layer = Layer.effect(Previews, make)
}
