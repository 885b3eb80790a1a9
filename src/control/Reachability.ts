/** Answers questions about policy from the stored topology, and tells from the audit log who changed what about it last. Changes nothing. */
import { Clock, Context, Effect, Layer, Option } from "effect"
import type { AliasName, Port } from "../domain/DnsLabel.ts"
import type { Rule } from "../domain/Network.ts"
import { judge, type Judgement } from "../domain/Policy.ts"
import { type Explanation, reaches } from "../domain/Reachability.ts"
import type { Source } from "../domain/Selector.ts"
import type { Topology } from "../domain/Topology.ts"
import { notPublished } from "./Aliases.ts"
import { noMachineToMachine, wouldAllow } from "./Diagnostics/plan.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { Rules } from "./Rules.ts"
import { lastChange } from "./Rules/lastChange.ts"
import { stored } from "./Store.ts"
import { Topologies } from "./Topologies.ts"

interface Asked { readonly source: string; readonly alias: AliasName; readonly port: Port }

const make = Effect.gen(function*() {
  const changed = yield* lastChange
  const lookups = yield* Lookups
  const rules = yield* Rules
  const topologies = yield* Topologies

  const topologyOf = Effect.fnUntraced(function*(ref: string) {
    const network = yield* stored(lookups.network(ref))
    const topology = Option.getOrUndefined(yield* topologies.load(network.id))
    return topology === undefined ? yield* stored(lookups.noNetwork(ref)) : { network, topology }
  })

  const targetIn = Effect.fnUntraced(function*(network: NetworkRow, topology: Topology, name: string, port: number) {
    const alias = topology.aliases.find((candidate) => candidate.name === name)
    if (alias === undefined) return yield* stored(lookups.noAlias(network, name))
    return alias.ports.some((published) => published === port) ? alias : yield* notPublished(network, alias, port)
  })

  return {
    explain: Effect.fn("Reachability.explain")(function*(ref: string, asked: Asked) {
      const { network, topology } = yield* topologyOf(ref)
      const source = yield* rules.bind(network, asked.source)
      const alias = yield* targetIn(network, topology, asked.alias, asked.port)
      const judgement = judge(topology, source, alias.id, asked.port, yield* Clock.currentTimeMillis)
      const betweenMachines = source._tag === "Local" && alias.local !== undefined
      const deciding = new Set<string>(judgement.rules.map((rule) => rule.id))
      const allRules = yield* rules.list(network.id)
      return {
        network: network.name, version: topology.version, ...asked, verdict: judgement.allowed ? "allowed" : "denied",
        reason: betweenMachines ? noMachineToMachine : reasonOf(network.name, asked, source, judgement, opening(allRules, asked)),
        rules: allRules.filter((rule) => deciding.has(rule.id)),
        sandboxes: judgement.sources.map(({ member, rules: own }) => ({ id: member.id, name: member.name, rules: own.map((rule) => rule.id) })),
        wouldAllow: judgement.allowed || betweenMachines ? null : wouldAllow(network.name, source, asked.source, asked, judgement.sources.length),
        lastChange: (yield* changed(network, { alias, port: asked.port })) ?? null
      } satisfies Explanation
    }),

    /** Every pair that the rules allow now: to one alias and port, or from what one selector stands for, or all. */
    pairs: Effect.fn("Reachability.pairs")(function*(ref: string, only: Partial<Asked>) {
      const { network, topology } = yield* topologyOf(ref)
      const source = only.source === undefined ? undefined : yield* rules.bind(network, only.source)
      if (only.alias !== undefined && only.port !== undefined) yield* targetIn(network, topology, only.alias, only.port)
      else if (only.alias !== undefined) yield* stored(lookups.alias(network, only.alias))
      const aliases = topology.aliases.filter((alias) => only.alias === undefined || alias.name === only.alias)
      return reaches(topology, aliases, source, yield* Clock.currentTimeMillis).filter((pair) => only.port === undefined || pair.port === only.port)
    })
  }
})

/** Rules for that alias and port, whoever their source is. */
const opening = (all: ReadonlyArray<Rule>, { alias, port }: Asked): ReadonlyArray<Rule> =>
  all.filter((rule) => rule.to === alias && rule.port <= port && port <= rule.lastPort)

const reasonOf = (network: string, { source: written, alias, port }: Asked, source: Source, { sources, allowed, rules }: Judgement, others: ReadonlyArray<Rule>): string => {
  if (allowed) return `${rules.length === 1 ? "rule" : "rules"} ${rules.map((rule) => rule.id).join(", ")} ${rules.length === 1 ? "lets" : "let"} ${written} reach ${alias}:${port}`
  if (source._tag !== "Local" && sources.length === 0) return `${written} stands for no sandbox that is attached to ${network}`
  const without = sources.filter((candidate) => candidate.rules.length === 0)
  if (without.length < sources.length) return `no rule lets ${without.map(({ member }) => `sandbox:${member.name}`).join(", ")} reach ${alias}:${port}, and ${written} stands for them too`
  const who = [...new Set(others.map((rule) => rule.from))]
  return `no rule lets ${written} reach ${alias}:${port}; ${who.length === 0 ? "no rule names that alias and port" : `its rules are for ${who.join(", ")}`}`
}

export class Reachability extends Context.Service<Reachability, Effect.Success<typeof make>>()("gstacks/control/Reachability") {
  static readonly layer = Layer.effect(Reachability, make)
}
