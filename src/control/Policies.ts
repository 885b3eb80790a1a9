/**
 * All rules of a network at once, as a document. Applying one adds what lacks, takes out what it does not hold and keeps the ids of what
 * stays, in one transaction and one version; a document that changes nothing makes no version.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { hasExpired } from "../domain/Policy.ts"
import { type NetworkPolicy, type PolicyChange, type PolicyFile, toPolicyRule } from "../domain/PolicyFile.ts"
import { InvalidPolicy, TopologyMoved } from "../domain/Problems.ts"
import type { Change } from "../domain/Receipt.ts"
import { Audit } from "./Audit.ts"
import { Changes } from "./Changes.ts"
import { Lookups, type NetworkRow } from "./Lookups.ts"
import { identity, identityOf, makeBinder } from "./Policies/boundRules.ts"
import { type BoundRule, type RuleRow, RuleStore, toRule } from "./Rules/RuleStore.ts"
import { stored } from "./Store.ts"

const endOf = ({ expiresAt }: RuleRow): number | null => expiresAt === null ? null : Date.parse(expiresAt)

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const lookups = yield* Lookups
  const changes = yield* Changes
  const audit = yield* Audit
  const store = yield* RuleStore
  const bind = yield* makeBinder

  const wantedBy = Effect.fnUntraced(function*(network: NetworkRow, file: PolicyFile, before: ReadonlyArray<RuleRow>) {
    const foreign = file.network === undefined || file.network === network.name ? []
      : [{ path: ["network"], message: `This is the policy of network "${file.network}", not of "${network.name}". Apply it there: gstacks network policy apply ${file.network}` }]
    const { bound, problems } = yield* bind(network, file, before)
    const errors = [...foreign, ...problems]
    if (errors.length === 0) return [...bound.values()]
    return yield* new InvalidPolicy({
      detail: errors.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"), hint: `See what there is: gstacks network show ${network.name}`, errors
    })
  })

  /** The difference between what is there and what is wanted, made so. */
  const replace = Effect.fnUntraced(function*(network: NetworkRow, before: ReadonlyArray<RuleRow>, wanted: ReadonlyArray<BoundRule>) {
    const old = new Map(before.map((row) => [identityOf(row), row]))
    const goal = new Set(wanted.map(identity))
    const put = wanted.filter((rule) => {
      const row = old.get(identity(rule))
      return row === undefined || endOf(row) !== rule.expiresAt || row.comment !== rule.comment
    })
    const removed = before.filter((row) => !goal.has(identityOf(row)))
    const ids = new Set(put.length === 0 ? [] : yield* store.put(network.id, put))
    yield* store.remove(removed.map(({ id }) => id))
    const known = new Set(before.map(({ id }) => id))
    const after = (yield* store.of(network.id)).filter(({ id }) => ids.has(id))
    return {
      added: after.filter(({ id }) => !known.has(id)).map(toRule), removed: removed.map(toRule),
      changed: after.filter(({ id }) => known.has(id)).map(toRule), unchanged: wanted.length - put.length
    }
  })

  /** The log has an entry for the whole, and one for each rule, as if it had been changed by itself. */
  const record = Effect.fnUntraced(function*(network: NetworkRow, { added, removed, changed }: Omit<PolicyChange, "over">) {
    const ids = (some: PolicyChange["added"]) => some.map(({ id }) => id)
    const change = yield* changes.record(network, "policy.apply", { added: ids(added), removed: ids(removed), changed: ids(changed) })
    yield* audit.writeAll([
      ...[...added, ...changed].map((detail) => ({ action: "rule.allow", detail })), ...removed.map((detail) => ({ action: "rule.revoke", detail }))
    ], change)
    return change
  })

  return {
    show: (ref: string) => stored(sql.withTransaction(Effect.gen(function*() {
      const network = yield* lookups.lockNetwork(ref)
      const now = yield* Clock.currentTimeMillis
      const inForce = (yield* store.of(network.id)).filter((row) => row.expiresAt === null || endOf(row)! > now)
      return { network: network.name, version: network.version, rules: inForce.map(toRule).map(toPolicyRule) } satisfies NetworkPolicy
    }))),

    /** `ifVersion`: only when the network still has that version. */
    apply: Effect.fn("Policies.apply")(function*(ref: string, file: PolicyFile, ifVersion?: number) {
      return yield* stored(changes.transaction(Effect.gen(function*() {
        const network = yield* lookups.lockNetwork(ref)
        if (ifVersion !== undefined && ifVersion !== network.version) return yield* moved(network, ifVersion)
        const before = yield* store.of(network.id)
        const wanted = yield* wantedBy(network, file, before)
        const now = yield* Clock.currentTimeMillis
        const lasting = wanted.filter(({ expiresAt }) => expiresAt === null || !hasExpired({ expiresAt }, now))
        const made = yield* replace(network, before, lasting)
        const change: typeof Change.Type = made.unchanged === before.length && lasting.length === before.length
          ? { networkId: network.id, network: network.name, version: network.version }
          : yield* record(network, made)
        return { value: { ...made, over: wanted.length - lasting.length } satisfies PolicyChange, change }
      })))
    })
  }
})

const moved = (network: NetworkRow, expected: number) => new TopologyMoved({
  detail: `Network "${network.name}" is at topology v${network.version}, not at v${expected}: it was changed meanwhile, or never had that version.`,
  hint: `See what the file would do now: gstacks network policy diff ${network.name} -f <file>`
})

export class Policies extends Context.Service<Policies, Effect.Success<typeof make>>()("gstacks/control/Policies") {
  static readonly layer = Layer.effect(Policies, make)
}
