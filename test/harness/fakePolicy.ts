/** The `policy` group of the fake control plane: rules are taken as they are written, and each pair of a diff is a rule. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { noneCut } from "../../src/domain/CutFlows.ts"
import { parsePortRange } from "../../src/domain/DnsLabel.ts"
import { makeId, RuleId } from "../../src/domain/Ids.ts"
import type { Rule } from "../../src/domain/Network.ts"
import { diffRules, type PolicyDiff } from "../../src/domain/PolicyDiff.ts"
import { type PolicyFile, toPolicyRule } from "../../src/domain/PolicyFile.ts"
import type { PolicyReplay } from "../../src/domain/PolicyReplay.ts"
import { InvalidPolicy, TopologyMoved } from "../../src/domain/Problems.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import type { FakeControl } from "./fakeControl.ts"

const same = (a: Pick<Rule, "from" | "to" | "ports">, b: Pick<Rule, "from" | "to" | "ports">) => a.from === b.from && a.to === b.to && a.ports === b.ports

export const policy = (fake: FakeControl) => HttpApiBuilder.group(Api, "policy", (handlers) => Effect.sync(() => {
  const wanted = Effect.fnUntraced(function*(network: string, file: PolicyFile) {
    const world = yield* fake.world(network)
    const errors = file.rules.flatMap(({ to }, i) => world.aliases.some(({ name }) => name === to) ? []
      : [{ path: ["rules", i, "to"], message: `Network "${network}" has no alias "${to}". Did you mean "api"?` }])
    if (errors.length > 0) return yield* new InvalidPolicy({ detail: errors.map(({ message }) => message).join("\n"), hint: `gstacks network show ${network}`, errors })
    const rules = yield* Effect.forEach(file.rules, (rule) => Effect.map(makeId(RuleId, "rul"), (id): Rule => {
      const { first, last } = parsePortRange(rule.ports)!
      const old = world.rules.find((candidate) => same(candidate, rule))
      return {
        id, createdAt: "2030-01-01T00:00:00.000Z", createdBy: "admin", ...old, from: rule.from, to: rule.to, ports: rule.ports, port: first, lastPort: last,
        expiresAt: rule.expiresAt ?? null, comment: rule.comment ?? null
      }
    }))
    return { world, rules, diff: diffRules(world.rules, rules) }
  })

  const diffOf = (network: string, version: number, rules: PolicyDiff["rules"]): PolicyDiff => {
    const pair = ({ from, to }: Pick<Rule, "from" | "to">, port: Rule["port"]) =>
      ({ source: from, sandboxId: null, agent: null, alias: to, port, hostName: `${to}.${network}.gstacks`, target: "backend" as never })
    return {
      network: network as PolicyDiff["network"], version, rules,
      pairs: { gained: rules.added.map((rule) => pair(rule, parsePortRange(rule.ports)!.first)), lost: rules.removed.map((rule) => pair(rule, rule.port)) },
      flows: rules.removed.length === 0 ? noneCut : fake.cut
    }
  }

  return handlers.handleAll({
    show: ({ params }) => Effect.map(fake.world(params.network), ({ network, rules }) => ({ network: network.name, version: network.version, rules: rules.map(toPolicyRule) })),
    apply: Effect.fn(function*({ params, payload, headers }) {
      fake.calls.push("policy.apply")
      const { world, rules, diff } = yield* wanted(params.network, payload)
      const expected = headers["if-match"]
      if (expected !== undefined && expected !== `"${world.network.version}"`) return yield* new TopologyMoved({ detail: `Network "${params.network}" is not at ${expected}.`, hint: "gstacks network policy diff" })
      world.rules.splice(0, world.rules.length, ...rules)
      const added = rules.filter((rule) => diff.added.some((candidate) => same(candidate, rule)))
      return { value: { added, removed: diff.removed, changed: diff.changed.map(({ after }) => after), unchanged: diff.unchanged, over: 0 }, change: fake.change(world) }
    }),
    diff: Effect.fn(function*({ params, payload }) {
      fake.calls.push(`policy.diff ${payload._tag}`)
      const world = yield* fake.world(params.network)
      if (payload._tag === "Apply") return diffOf(params.network, world.network.version, (yield* wanted(params.network, payload.policy)).diff)
      const left = payload._tag === "Revoke" ? world.rules.filter(({ id }) => id !== payload.rule) : world.rules
      return diffOf(params.network, world.network.version, diffRules(world.rules, left))
    }),
    replay: Effect.fn(function*({ params, payload }) {
      fake.calls.push(`policy.replay ${payload.withinMs}`)
      const { world: { network } } = yield* wanted(params.network, payload.policy)
      return { network: network.name, version: network.version, ...fake.replay } satisfies PolicyReplay
    })
  })
}))
