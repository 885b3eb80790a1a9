/** The networks that this machine has joined, or tries to, one actor each. */
import { Clock, Context, Effect, Latch, Layer, Option } from "effect"
import type { JoinStatus } from "../protocol/local/MeshRpcs.ts"
import { MeshRefused } from "../protocol/local/MeshRpcs.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { isInState, type StateValue } from "../actors/runtime/stateText.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import { makeTurns } from "../agent/turns.ts"
import * as Address from "./addresses.ts"
import { type Account, problemName } from "./ControlPlanes.ts"
import { isoNow, joining, type Membership } from "./Joins/membership.ts"
import { shown } from "./Joins/shown.ts"
import { Known } from "./Known.ts"
import { soon } from "./soon.ts"

const joinPatience = "30 seconds"
const leavePatience = "9 seconds"
const linger = "1 second"

export class Joins extends Context.Service<Joins, {
  readonly join: (network: string, account: Account) => Effect.Effect<JoinStatus, MeshRefused>
  readonly leave: (network: string) => Effect.Effect<JoinStatus, MeshRefused>
  readonly list: Effect.Effect<ReadonlyArray<JoinStatus>>
  readonly membership: (network: string) => Effect.Effect<Membership, MeshRefused>
  /** Completes a moment after the last network was left, unless one is joined by then: whoever left it still reads the answer. */
  readonly allLeft: Effect.Effect<void>
}>()("gstacks/local/Joins") {
  static readonly layer = Layer.effect(Joins, Effect.suspend(() => make()))
}

const joinedAlready = ({ network }: Membership, what: string) =>
  new MeshRefused({ code: "joined-already", message: `${what} is joined already`, hint: `gstacks mesh leave ${network}` })
const notJoined = (network: string) =>
  new MeshRefused({ code: "not-joined", message: `this machine has not joined network ${network}`, hint: `gstacks mesh join ${network}` })

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const dataPlane = yield* DataPlane
  const known = yield* Known
  const scope = yield* Effect.scope
  const memberships = new Map<string, Membership>()
  /** Joining and leaving one network must not meet. */
  const inTurn = makeTurns<string>()
  const empty = Latch.makeUnsafe()
  const { adopt, machineOf } = yield* joining
  const membership = (network: string) => Effect.suspend(() => {
    const found = memberships.get(network)
    return found === undefined ? Effect.fail(notJoined(network)) : Effect.succeed(found)
  })

  /** Ends the actor of a membership, if that is the network's still, and all that is known by it. */
  const forget = (membership: Membership) => Effect.suspend(() => {
    const { network } = membership
    if (memberships.get(network) !== membership) return Effect.void
    return Effect.ignore(Effect.flatMap(actors.supervisor(Address.joins), (joins) => joins.stopChild(network))).pipe(Effect.andThen(Effect.suspend(() => {
      known.drop(network)
      memberships.delete(network)
      return memberships.size === 0 ? empty.open : Effect.void
    })))
  })

  const start = Effect.fnUntraced(function*(network: string, account: Account) {
    const membership: Membership = { network, account, since: yield* isoNow, grant: undefined, problem: undefined }
    memberships.set(network, membership)
    yield* empty.close
    yield* Effect.orDie(Effect.flatMap(actors.supervisor(Address.joins), (joins) => joins.startChild(machineChild({
      id: network, logic: machineOf(membership), input: { network }, restart: "transient", shutdownMs: 6_000, stopEvent: { type: "leave" },
      redact: ["expiresAt", "version", "controlTrouble", "meshTrouble", "lastError", "next", "attempt"]
    }))))
    // What was refused or revoked is forgotten by itself after a while.
    yield* Effect.forkIn(Effect.andThen(Effect.ignore(actors.waitFor(Address.join(network), "left")), inTurn(network)(forget(membership))), scope)
    return membership
  })

  /** The membership to wait for: the one that there is, if this account may keep it, or a new one. */
  const entered = Effect.fnUntraced(function*(network: string, account: Account) {
    const before = memberships.get(network)
    if (before === undefined) return yield* start(network, account)
    if (before.account.url !== account.url) return yield* joinedAlready(before, `a network ${network} of ${before.account.url}`)
    const actor = yield* Effect.option(actors.snapshot(Address.join(network)))
    const isOver = actor._tag === "None" || actor.value.status === "ended" || actor.value.state === "revoked" || actor.value.state === "leaving"
    if (!isOver && before.account.token === account.token) return before
    if (!isOver && before.grant !== undefined) {
      const refused = yield* Effect.flip(adopt(before, before.grant, account)).pipe(Effect.option)
      if (refused._tag === "None") return before
      const name = problemName(refused.value)
      if (name === "local-node-not-found") return yield* joinedAlready(before, `${network}, as local:${before.grant.user},`)
      if (name !== "local-node-ended") {
        const { problem: { detail, hint } } = refused.value
        return yield* new MeshRefused({ code: name, message: `the join of ${network} goes on as it is: ${detail}`, hint })
      }
    }
    yield* forget(before)
    return yield* start(network, account)
  })

  const agentsOf = (network: string) => Effect.gen(function*() {
    const topology = known.topology(network)
    if (topology === undefined) return []
    const peers = (yield* dataPlane.node(topology.networkId))?.peers ?? []
    return yield* Effect.forEach(topology.agents, ({ name, node }) => Effect.gen(function*() {
      const peer = peers.find((candidate) => candidate.nodeId === node?.id)
      const rtt = node === null || peer === undefined ? Option.none() : yield* soon(dataPlane, (client) => client.ping(topology.networkId, node.address))
      const path = peer?.path === "direct" ? "direct" as const : peer?.path === "relay" ? "relayed" as const : null
      return { agent: name as string, address: node?.address ?? null, path, rttMicros: Option.match(rtt, { onNone: () => null, onSome: ({ micros }) => micros }) }
    }), { concurrency: "unbounded" })
  })

  /** A meshd that hangs, if it does. */
  const hungMeshd = Effect.flatMap(soon(dataPlane, (client) => client.forwards), (answer) =>
    Option.isSome(answer) ? Effect.undefined : Effect.map(dataPlane.hello, (hello) => ({ pid: hello?.pid })))

  const status = ({ network, account, grant, since }: Membership) => Effect.gen(function*() {
    const actor = Option.getOrUndefined(yield* Effect.option(actors.snapshot(Address.join(network))))
    const text = (key: string): string | null => typeof actor?.context[key] === "string" ? actor.context[key] : null
    const at = actor?.state ?? "left", expiresAt = text("expiresAt"), version = actor?.context["version"]
    const [agents, hung] = at.startsWith("member") ? yield* Effect.all([agentsOf(network), hungMeshd], { concurrency: "unbounded" }) : [[], undefined]
    return {
      network, networkId: grant?.networkId ?? null, controlUrl: account.url, user: grant?.user ?? null, id: grant?.id ?? null, since, expiresAt, agents,
      ...shown({ network, at, expiresAt, hung, now: yield* Clock.currentTimeMillis, trouble: text("controlTrouble") ?? text("meshTrouble") ?? text("lastError"), next: text("next") }),
      address: known.topology(network)?.localNodes[0]?.address ?? null, version: typeof version === "number" ? version : null
    } satisfies JoinStatus
  })

  return Joins.of({
    membership,
    allLeft: Effect.repeat(Effect.andThen(empty.await, Effect.sleep(linger)), { until: () => memberships.size === 0 }),
    list: Effect.suspend(() => Effect.forEach([...memberships.values()].sort((a, b) => (a.network < b.network ? -1 : 1)), status, { concurrency: "unbounded" })),
    join: Effect.fn("Joins.join")(function*(network, account) {
      const joined = yield* inTurn(network)(entered(network, account))
      const hasCome = (value: StateValue, context: { readonly version: number | null }) => (isInState(value, "member") && context.version !== null) || isInState(value, "revoked")
      yield* Effect.ignore(actors.waitFor(Address.join(network), hasCome).pipe(Effect.timeout(joinPatience)))
      if (memberships.get(network) !== joined) return yield* new MeshRefused({ code: "left", message: `${network} was left meanwhile`, hint: `gstacks mesh join ${network}` })
      const now = yield* status(joined)
      if (now.state !== "revoked") return now
      yield* inTurn(network)(forget(joined))
      return yield* new MeshRefused({
        code: joined.problem === "unauthorized" ? joined.problem : "join-refused", message: now.reason ?? "the control plane refused", hint: now.next ?? "gstacks doctor"
      })
    }),
    leave: Effect.fn("Joins.leave")(function*(network) {
      const left = yield* membership(network)
      const before = yield* status(left)
      yield* Effect.ignore(actors.send(Address.join(network), { type: "leave" }))
      yield* Effect.ignore(actors.waitFor(Address.join(network), "left").pipe(Effect.timeout(leavePatience)))
      yield* inTurn(network)(forget(left))
      return { ...before, state: "leaving", agents: [] }
    })
  })
})
