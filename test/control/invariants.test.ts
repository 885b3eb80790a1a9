/** Random sequences of changes, by many at once, must keep what every reader relies on. */
import { assert } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Topologies } from "../../src/control/Topologies.ts"
import { onBothDatabases } from "./databases.ts"
import { alias, connect, fresh, network, port, runSandbox } from "./fixture.ts"

/** Deterministic, so that a failure can be repeated. */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

onBothDatabases("invariants under random concurrent changes", (it) => {
  for (const seed of [1, 2, 3, 4]) {
    it.effect(`seed ${seed}`, () => Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const networks = yield* Networks
      const attachments = yield* Attachments
      const aliases = yield* Aliases
      const rules = yield* Rules
      const sandboxes = yield* Sandboxes
      const topologies = yield* Topologies
      const random = randomFrom(seed)
      const pick = <A>(items: ReadonlyArray<A>): A => items[Math.floor(random() * items.length)]!

      const agents = [yield* connect(), yield* connect()]
      const names = [network(), network()]
      const boxes = Array.from({ length: 4 }, () => fresh("box"))
      const labels = ["a", "b", "c"].map(alias)
      const ids = yield* Effect.forEach(names, (name) => Effect.map(networks.create(name, "agent_proxy"), ({ value }) => value.id))
      yield* Effect.forEach(boxes, (box) => runSandbox(pick(agents), box))
      const lastVersion = new Map<string, number>()
      const versions: Array<string> = []
      const noted = <A, E, R>(effect: Effect.Effect<A & { readonly change: { readonly networkId: string; readonly version: number } }, E, R>) =>
        Effect.tap(effect, ({ change }) => Effect.sync(() => versions.push(`${change.networkId} ${change.version}`)))

      const step = (): Effect.Effect<unknown, unknown, any> => {
        const name = pick(names), box = pick(boxes), label = pick(labels), number = port(pick([80, 81]))
        switch (Math.floor(random() * 9)) {
          case 0: case 1: return noted(attachments.attach(name, box, label, [number]))
          case 2: return noted(attachments.detach(name, box))
          case 3: return noted(aliases.add(name, box, label, [number]))
          case 4: return noted(aliases.remove(name, label, pick([undefined, number])))
          case 5: return noted(aliases.move(name, label, box))
          case 6: return noted(rules.allow(name, pick(["any", "local", `sandbox:${box}`, label, "label:x=y"]), pick(labels), { first: number, last: number }))
          case 7: return Effect.flatMap(rules.list(name), (all) => all.length === 0 ? Effect.void : noted(rules.revoke(name, pick(all).id)))
          default: return Effect.andThen(sandboxes.remove(box), runSandbox(pick(agents), box))
        }
      }
      const check = Effect.gen(function*() {
        for (const [index, id] of ids.entries()) {
          const topology = Option.getOrThrow(yield* topologies.load(id))
          assert.isAtLeast(topology.version, lastVersion.get(id) ?? 1)
          lastVersion.set(id, topology.version)
          assert.strictEqual(topology.name, names[index])
          const members = new Set(topology.members.map((member) => member.id))
          const ports = new Map(topology.aliases.map((item) => [item.id, item.ports]))
          const hosts = new Set(topology.agents.map((agent) => agent.id))
          assert.strictEqual(new Set(topology.aliases.map((item) => item.name)).size, topology.aliases.length)
          for (const item of topology.aliases) {
            assert.isTrue(members.has(item.sandboxId!), "an alias of a sandbox that is no member")
            assert.isNotEmpty(item.ports)
          }
          for (const rule of topology.rules) {
            assert.isTrue(ports.get(rule.aliasId)?.includes(rule.port), "a rule for what is not published")
            if (rule.source._tag === "Alias") assert.isTrue(ports.has(rule.source.aliasId), "a rule from an alias that is gone")
          }
          assert.deepStrictEqual(new Set(topology.members.map((member) => member.agentId)), hosts)
          const left = yield* sql`select agent_id from topology_acks where network_id = ${id} and left_version is null`
          assert.deepStrictEqual(new Set(left.map((row) => row["agentId"])), hosts as Set<unknown>)
        }
        const addresses = yield* sql`select count(*)::int as n, count(distinct v.address)::int as distinct_n from aliases l join virtual_addresses v on v.alias_id = l.id`
        assert.strictEqual(addresses[0]!["n"], addresses[0]!["distinctN"])
        const bare = yield* sql`select 1 from aliases l where not exists (select 1 from virtual_addresses v where v.alias_id = l.id)`
        assert.isEmpty(bare)
      })
      for (let round = 0; round < 10; round++) {
        const burst = Array.from({ length: 6 }, step)
        yield* Effect.forEach(burst, (one) => Effect.catch(one, (problem) => (problem as { _tag: string })._tag === "StoreUnavailable" ? Effect.die(problem) : Effect.void), { concurrency: "unbounded" })
        yield* check
      }
      assert.strictEqual(new Set(versions).size, versions.length, "two changes got one version")
      assert.isAbove(versions.length, 3)
    }), 60_000)
  }
})
