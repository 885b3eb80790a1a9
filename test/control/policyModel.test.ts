/**
 * Random sequences of changes against the reference: what the control plane accepts, what its answers and previews say, and every permit in
 * the plans of two agents, that follow by snapshots and deltas and are restarted now and then, and of the developers' machines that have
 * joined. A failure is cut down and printed with its seed.
 */
import { assert, layer } from "@effect/vitest"
import { Clock, Effect, Exit, Layer, Option, Schema, SubscriptionRef } from "effect"
import { SqlClient } from "effect/sql"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { LocalNodes } from "../../src/control/LocalNodes.ts"
import { Lookups } from "../../src/control/Lookups.ts"
import { Mesh } from "../../src/control/Mesh.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Policies } from "../../src/control/Policies.ts"
import { Previews } from "../../src/control/Previews.ts"
import { Reachability } from "../../src/control/Reachability.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { Snapshots } from "../../src/control/Snapshots.ts"
import { MachineId, makeId } from "../../src/domain/Ids.ts"
import { rulesFor } from "../../src/domain/Policy.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { fakeHeadscale } from "../harness/fakeHeadscale.ts"
import { pgliteTemplate } from "../harness/pgliteTemplate.ts"
import { type Box, ReferencePolicy, type Wish } from "../harness/ReferencePolicy.ts"
import { alias, connect, fresh, network as freshNetwork, port, ports, runSandbox } from "./fixture.ts"
import { FollowingAgent, FollowingMachine, nodeOf } from "./policyFollowers.ts"

const hour = 3_600_000
const boxNames = ["ant", "bee", "cat"], aliasNames = ["app", "web"], portNumbers = [80, 81, 90]
/** Whose, and which of theirs. */
const machineNames = ["ann/desk", "ann/lap", "bob/lap"]
const of = <A extends string | number>(...values: ReadonlyArray<A>) => Schema.Literals(values)
/** What is drawn is a place in this list: most changes make a network richer, or it would be empty nearly always. */
const kinds = [
  "attach", "attach", "attach", "publish", "publish", "add", "add", "move", "move", "allow", "allow", "allow", "allow", "allow", "allow", "renew", "renew", "overlap", "overlap", "overlap", "revoke", "document", "time", "restart",
  "join", "join", "join", "leave", "leave",
  "closePort", "unpublish", "detach", "comeOrGo", "comeOrGo", "replace", "replace", "remove"
] as const

const Step = Schema.Struct({
  kind: Schema.Literals([...kinds.keys()]),
  box: of(...boxNames), alias: of(...aliasNames), port: of(...portNumbers), last: of(0, 0, 1, 10, 65535), team: of("red", "blue"), host: of(0, 1), hours: of(0, 1, 3),
  machine: of(...machineNames), from: of("any", "local", "user", "sandbox", "alias", "label")
})
type Step = typeof Step.Type

const scene = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [networks, attachments, aliases, rules, sandboxes] = [yield* Networks, yield* Attachments, yield* Aliases, yield* Rules, yield* Sandboxes]
  const [policies, previews, reachability, snapshots, lookups, localNodes] = [yield* Policies, yield* Previews, yield* Reachability, yield* Snapshots, yield* Lookups, yield* LocalNodes]
  const headscale = fakeHeadscale()
  yield* SubscriptionRef.set((yield* Mesh).current, Option.some(headscale.api))
  const agents = [yield* connect(), yield* connect()]
  const followers = agents.map(({ id }) => new FollowingAgent(id))
  const name = freshNetwork("model")
  const { id } = (yield* networks.create(name, "agent_proxy")).value
  const suffix = fresh("x")
  const full = (box: string) => `${box}-${suffix}`
  const reference = new ReferencePolicy()
  reference.create(name)
  const running = new Map<string, { readonly id: string; readonly host: number }>()
  const userOf = (machine: string) => full(machine.split("/")[0]!)
  const machineIds = new Map(yield* Effect.forEach(machineNames, (machine) => Effect.map(makeId(MachineId, "mch"), (made) => [machine, made] as const)))
  /** The last join of each machine. */
  const joins = new Map<string, FollowingMachine>()
  /** By id, also when it is gone: a sandbox's name, or a machine's. */
  const sources = new Map<string, string>()
  const wishes: Array<Wish> = []
  let passed = 0
  const now = Effect.map(Clock.currentTimeMillis, (live) => live + passed)
  /** The control plane's clock, when hours have passed. */
  const later = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(Clock.Clock, (clock) => Effect.provideService(effect, Clock.Clock, Object.assign(Object.create(clock) as Clock.Clock, {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + passed, currentTimeMillis: Effect.map(clock.currentTimeMillis, (live) => live + passed)
  })))

  const targets = aliasNames.flatMap((to) => portNumbers.map((number) => ({ to, number })))
  const reachedBy = (targetOf: (to: string, number: number) => Box | undefined) => targets.flatMap(({ to, number }) => {
    const target = targetOf(to, number)
    return target === undefined ? [] : [{ to: `${to}:${number}`, target }]
  })
  const reachedByBox = (box: string, at: number) => reachedBy((to, number) => reference.target(name, full(box), to, number, at))
  const reachedByUser = (user: string | undefined, at: number) => reachedBy((to, number) => reference.targetOfMachines(name, user, to, number, at))
  /** Who reaches whose program, by the reference. */
  const boxMatrix = (at: number): ReadonlyArray<string> => boxNames.flatMap((box) => reachedByBox(box, at).map(({ to, target }) => `sandbox:${full(box)} ${to} ${target.name}`))
  const matrix = (at: number, machineSources: ReadonlySet<string>): ReadonlySet<string> => new Set(boxMatrix(at).concat([...machineSources].flatMap((source) =>
    reachedByUser(source === "local" ? undefined : source.slice("local:".length), at).map(({ to, target }) => `${source} ${to} ${target.name}`))))
  const everyMachine = new Set(["local", ...machineNames.map((machine) => `local:${userOf(machine)}`)])
  const textOf = (reach: { readonly source: string; readonly alias: string; readonly port: number; readonly target: string }) => `${reach.source} ${reach.alias}:${reach.port} ${reach.target}`

  /** The same to both; they must agree whether it may be made, and a preview must have said what it did. */
  const change = Effect.fnUntraced(function*<A, E, R>(real: Effect.Effect<A, E, R>, expected: () => boolean) {
    const at = yield* now
    const before = matrix(at, everyMachine), namedBefore = reference.machineSources(name, at)
    const previewed = yield* Effect.exit(later(previews.diff(name, real)))
    const made = yield* Effect.exit(later(real))
    const accepted = expected()
    assert.deepStrictEqual([Exit.isSuccess(made), Exit.isSuccess(previewed)], [accepted, accepted], String(made))
    if (!Exit.isSuccess(previewed)) return
    const after = matrix(at, everyMachine), named = new Set([...namedBefore, ...reference.machineSources(name, at)])
    const without = (pairs: ReadonlySet<string>, others: ReadonlySet<string>) => [...pairs].filter((pair) => !others.has(pair) && (pair.startsWith("sandbox:") || named.has(pair.split(" ")[0]!)))
    assert.sameMembers(previewed.value.pairs.gained.map(textOf), without(after, before))
    assert.sameMembers(previewed.value.pairs.lost.map(textOf), without(before, after))
  })

  const run = (box: string, host: number, team: string) => Effect.map(runSandbox(agents[host]!, full(box), { team }), (made) => {
    running.set(box, { id: made.id, host })
    sources.set(made.id, full(box))
    reference.runBox({ name: full(box), host: String(host), labels: { team } })
  })
  const remove = (box: string) => Effect.map(sandboxes.remove(full(box)), () => {
    running.delete(box)
    reference.removeBox(full(box))
  })
  const asUserOf = (machine: string) => Effect.provideService(Principal, { name: userOf(machine) })
  const join = Effect.fnUntraced(function*(machine: string) {
    const at = yield* now, of = machineIds.get(machine)!
    const { id, grant } = yield* later(localNodes.join(name, of, "laptop")).pipe(asUserOf(machine))
    const node = headscale.enter(grant.authKey)
    yield* later(localNodes.joined(name, id, of)).pipe(asUserOf(machine))
    joins.set(machine, new FollowingMachine(id, node.id))
    sources.set(id, machine)
    reference.join(name, userOf(machine), machine, at)
  })
  /** Tells the control plane that it is there, and hears what is new. */
  const renew = Effect.fnUntraced(function*(machine: string) {
    const known = joins.get(machine)!
    const { topology } = yield* later(localNodes.renew(name, known.id, machineIds.get(machine)!, known.topology?.version ?? 0, 0)).pipe(asUserOf(machine))
    if (topology !== null) known.topology = topology
  })
  const wishOf = (step: Step, at: number): Wish => ({
    from: { any: "any", local: "local", user: `local:${userOf(step.machine)}`, sandbox: `sandbox:${full(step.box)}`, alias: step.alias === "app" ? "web" : "alias:app", label: `label:team=${step.team}` }[step.from],
    to: step.alias, first: step.last === 65535 ? 1 : step.port, last: Math.min(step.port + step.last, 65535), ...(step.hours === 0 ? {} : { until: at + step.hours * hour })
  })
  /** One of the last few. */
  const earlier = (number: number) => wishes.at(-1 - portNumbers.indexOf(number))
  /** The rule that was made last by such words, as the product lists it. */
  const ruleOf = (wish: Wish) => Effect.map(rules.list(name), (all) => all.find((rule) => rule.from === wish.from.replace(/^(app|web)$/, "alias:$1") && rule.to === wish.to && rule.port === wish.first && rule.lastPort === wish.last))

  const make = Effect.fnUntraced(function*(step: Step) {
    const { box, alias: to, port: number, machine } = step
    const kind = kinds[step.kind]!
    switch (kind) {
      case "attach": return yield* change(attachments.attach(name, full(box), undefined, []), () => reference.attach(name, full(box)))
      case "publish": return yield* change(attachments.attach(name, full(box), alias(to), [port(number)]), () => reference.attach(name, full(box), to, [number]))
      case "add": return yield* change(aliases.add(name, full(box), alias(to), [port(80), port(number)]), () => reference.addAlias(name, full(box), to, [80, number]))
      case "unpublish": return yield* change(aliases.remove(name, to), () => reference.removeAlias(name, to))
      case "closePort": return yield* change(aliases.remove(name, to, port(number)), () => reference.removeAlias(name, to, number))
      case "move": return yield* change(aliases.move(name, to, full(box)), () => reference.moveAlias(name, to, full(box)))
      case "comeOrGo": case "detach": {
        // One that publishes nothing leaves all aliases as they are.
        const client = boxNames.find((each) => aliasNames.every((published) => reference.alias(name, published)?.box.name !== full(each)))
        const who = full(kind === "detach" ? box : client ?? box)
        return kind === "detach" || reference.isMember(name, who)
          ? yield* change(attachments.detach(name, who), () => reference.detach(name, who))
          : yield* change(attachments.attach(name, who, undefined, []), () => reference.attach(name, who))
      }
      case "allow": case "renew": case "overlap": {
        const hours = kind === "overlap" && step.hours === 0 ? 1 : step.hours
        const words = wishOf({ ...step, hours, from: kind === "overlap" && step.host === 0 ? "any" : step.from }, yield* now)
        const again = kind === "renew" ? earlier(number) : kind === "overlap" ? { ...earlier(number), from: words.from } : {}
        const wish = { ...words, ...again, until: words.until ?? Infinity }
        wishes.push(wish)
        const terms = hours === 0 ? {} : { forSeconds: hours * 3600 }
        return yield* change(rules.allow(name, wish.from, alias(wish.to), ports(wish.first, wish.last), terms), () => reference.allow(name, wish))
      }
      case "revoke": case "document": {
        const wish = earlier(number)
        const rule = wish === undefined ? undefined : yield* ruleOf(wish)
        if (wish === undefined || rule === undefined) return
        if (kind === "revoke") return yield* change(rules.revoke(name, rule.id), () => reference.revoke(name, wish))
        const { rules: all } = yield* later(policies.show(name))
        const left = all.filter((other) => !(other.from === rule.from && other.to === rule.to && other.ports === rule.ports))
        return yield* change(policies.apply(name, { rules: left }), () => reference.revoke(name, wish))
      }
      case "remove": return yield* running.has(box) ? remove(box) : run(box, step.host, step.team)
      case "replace": {
        if (running.has(box)) yield* remove(box)
        yield* run(box, step.host, step.team)
        return yield* change(attachments.attach(name, full(box), undefined, []), () => reference.attach(name, full(box)))
      }
      case "join": return yield* join(machine)
      case "leave": {
        const known = joins.get(machine), at = yield* now
        if (known === undefined) return
        return yield* change(localNodes.end(name, known.id, step.host === 0 ? machineIds.get(machine)! : undefined).pipe(asUserOf(machine)), () => reference.leave(name, machine, at))
      }
      case "time": {
        passed += step.hours === 0 ? 40 * 60_000 : step.hours * hour
        yield* sql.withTransaction(later(Effect.flatMap(lookups.lockNetwork(name), (row) => rules.expire(row))))
        yield* later(localNodes.expire(new Date(0)))
        const at = yield* now
        for (const each of reference.machines(name, at)) yield* renew(each.name)
        return reference.hear(name, at)
      }
      case "restart": return followers[step.host]!.restart()
    }
  })

  /** What each joined machine is told: itself, the rules that let its user in, and nobody else. */
  const checkMachines = Effect.fnUntraced(function*(topology: Topology, at: number) {
    const machines = reference.machines(name, at)
    assert.sameMembers(topology.localNodes.map(({ user, nodeId }) => `${user} ${nodeId}`), machines.map((machine) => `${machine.user} ${joins.get(machine.name)!.node}`))
    for (const { name: machine, user } of machines) {
      yield* renew(machine)
      const { members, localNodes: shown, rules: told } = joins.get(machine)!.topology!
      assert.deepStrictEqual([members.length, shown.map((node) => node.id), told.length], [0, [joins.get(machine)!.id], reference.ruleCountOfMachines(name, user, at)])
    }
  })

  const check = Effect.gen(function*() {
    const newest = Option.getOrThrow(yield* snapshots.refresh(id))
    for (const follower of followers) follower.follow(snapshots, newest)
    const present = yield* now
    yield* checkMachines(newest, present)
    const plans = followers.map((follower, host) => follower.plan([...running.values()].filter((box) => box.host === host)))
    const machines = reference.machines(name, present).map((machine) => joins.get(machine.name)!)
    for (const at of [present, present + 2 * hour]) {
      const judged = newest.members.flatMap((member) => newest.aliases.flatMap((target) => portNumbers.flatMap((number) => rulesFor(newest, member.id, target.id, number, at).length === 0 ? []
        : [`sandbox:${member.name} ${target.name}:${number} ${newest.members.find((other) => other.id === target.sandboxId)!.name}`])))
      assert.sameMembers(judged, [...boxMatrix(at)])

      const inForce = (permit: { readonly expiresAt?: number }) => permit.expiresAt === undefined || at < permit.expiresAt
      const toOf = (permit: { readonly alias: string; readonly port: number }) => `${newest.aliases.find((target) => target.id === permit.alias)?.name}:${permit.port}`
      const outbound = [...plans.flatMap((plan) => plan.outbound), ...machines.flatMap((machine) => machine.outbound())].filter(inForce)
        .map((permit) => `${sources.get(permit.sandbox)} ${toOf(permit)} ${permit.target.kind === "node" ? permit.target.node : sources.get(permit.target.sandbox)}`)
      const inbound = plans.flatMap((plan, host) => plan.inbound.filter(inForce).map((permit) => `${permit.node} ${sources.get(permit.source)} ${toOf(permit)} ${sources.get(permit.sandbox!)} on ${host}`))

      const ways = [
        ...boxNames.flatMap((box) => reachedByBox(box, at).map((way) => ({ ...way, source: full(box), node: nodeOf(agents[running.get(box)!.host]!.id) }))),
        ...reference.machines(name, at).flatMap((machine) => reachedByUser(machine.user, at).map((way) => ({ ...way, source: machine.name, node: joins.get(machine.name)!.node })))
      ].map((way) => ({ ...way, behind: nodeOf(agents[Number(way.target.host)]!.id) }))
      assert.sameMembers(outbound, ways.map(({ source, to, target, node, behind }) => `${source} ${to} ${node === behind ? target.name : behind}`))
      assert.sameMembers(inbound, ways.filter(({ node, behind }) => node !== behind).map(({ source, to, target, node }) => `${node} ${source} ${to} ${target.name} on ${target.host}`))
    }
    assert.sameMembers((yield* later(reachability.pairs(name, {}))).map(textOf), [...matrix(present, reference.machineSources(name, present))])
    assert.strictEqual((yield* later(policies.show(name))).rules.length, reference.ruleCount(name, present))
  })

  for (const [i, box] of boxNames.entries()) {
    yield* run(box, i % 2, i % 2 === 0 ? "red" : "blue")
    yield* change(attachments.attach(name, full(box), undefined, []), () => reference.attach(name, full(box)))
  }
  for (const [i, to] of aliasNames.entries()) yield* change(aliases.add(name, full(boxNames[i]!), alias(to), [port(80)]), () => reference.addAlias(name, full(boxNames[i]!), to, [80]))
  const first = { kind: kinds.indexOf("allow"), box: "ant", port: 80, last: 0, team: "red", host: 0, hours: 0, machine: "ann/lap" } as const
  yield* make({ ...first, alias: "app", from: "any", hours: 3 })
  yield* make({ ...first, alias: "web", from: "alias", hours: 3 })
  yield* make({ ...first, alias: "web", from: "user" })
  yield* make({ ...first, alias: "web", from: "label" })
  yield* join("ann/lap")
  return { make, check, end: Effect.suspend(() => Effect.andThen(Effect.forEach([...running.keys()], remove), Effect.andThen(networks.remove(name, true), localNodes.expire(new Date(0))))) }
})

const controlPlane = Layer.merge(Layer.succeed(Principal, { name: "operator" }),
  Layer.unwrap(Effect.map(Effect.promise(pgliteTemplate), (template) => ControlPlane.layer({ database: { _tag: "Memory", template }, mesh: { _tag: "None" }, stateDir: "/nonexistent" }))))

layer(controlPlane, { timeout: "2 minutes", excludeTestServices: true })("the policy model", (it) => {
  it.effect.prop("whatever was changed and in which order, everybody agrees with the reference", [Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(40))], ([steps]) => Effect.gen(function*() {
    const { make, check, end } = yield* scene
    for (const step of steps) {
      yield* make(step)
      yield* check
    }
    yield* end
  }), { arbitrary: { runs: 20 }, timeout: 300_000 })
})
