/** What the machine `localJoin` does: ask for a key, enter, be published, be renewed, leave. */
import { Clock, Effect, Queue, Stream } from "effect"
import { hostname } from "node:os"
import { type JoinRefusal, type LocalJoinEvent, localJoinMachine } from "../../actors/machines/localJoin.ts"
import { ActorSystem } from "../../actors/runtime/ActorSystem.ts"
import * as Bridge from "../../actors/runtime/bridge.ts"
import { isInState } from "../../actors/runtime/stateText.ts"
import { DataPlane } from "../../agent/dataplane/DataPlane.ts"
import type { Failure } from "../../cli/Failure.ts"
import type { MachineId } from "../../domain/Ids.ts"
import type { LocalGrant, LocalQuestion } from "../../protocol/http/LocalNodesApi.ts"
import type { NodeStatus } from "../../protocol/meshd/Messages.ts"
import * as Address from "../addresses.ts"
import { answerer } from "../Answers.ts"
import { type Account, ControlPlanes, problemName, refusalOf } from "../ControlPlanes.ts"
import { Known } from "../Known.ts"
import { machineId } from "../machineId.ts"

export interface Membership {
  readonly network: string
  readonly since: string
  account: Account
  grant: LocalGrant | undefined
  /** By name: why the control plane gave no grant. */
  problem: string | undefined
}

/** The control plane hears from a machine this often, at least. */
const renewEveryMs = 25_000
const renewPatienceMs = 15_000
const adoptPatienceMs = 5_000
const later = (reason: string): JoinRefusal => ({ reason, next: "see gstacks mesh status", final: false })

/** Names as the contract wants them. */
const machineName = (): string => hostname().replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 63) || "machine"

const troubleOf = (node: NodeStatus): string | null => {
  if (node.state === "ready") return null
  return node.state === "failed" ? node.error ?? "the mesh does not accept this machine any more" : "no host's agent can be reached yet"
}

/** What joins are made of: the machine of a membership, which touches nothing of another one, and the change of its account. */
export const joining = Effect.gen(function*() {
  const actors = yield* ActorSystem
  const bridge = yield* Bridge.make<never>()
  const control = yield* ControlPlanes
  const dataPlane = yield* DataPlane
  const known = yield* Known
  const answer = yield* answerer
  const machine: MachineId = yield* machineId
  type Granted = { readonly network: string; readonly grant: LocalGrant }

  const meshdReady = actors.waitFor(Address.meshd, (value) => isInState(value, "session.ready")).pipe(
    Effect.timeout("10 seconds"), Effect.catch(() => Effect.flatMap(dataPlane.problem, (problem) => Effect.fail(later(problem ?? "meshd is not ready")))))

  const request = (membership: Membership) => Effect.gen(function*() {
    yield* meshdReady
    const { account, network } = membership
    const grant = yield* control.call(account, (client) => client.localNodes.join({ params: { network }, payload: { machine, name: machineName() } })).pipe(
      Effect.tapError((failure) => Effect.sync(() => { membership.problem = problemName(failure) })), Effect.mapError(refusalOf))
    membership.grant = grant
    return grant
  })

  const enter = ({ grant: { grant, networkId } }: Granted) => Effect.gen(function*() {
    yield* dataPlane.leave(networkId) // the node of a grant before
    yield* dataPlane.join({ network: networkId, hostname: grant.hostname, controlUrl: grant.controlUrl, authKey: grant.authKey, transport: "netstack" })
  }).pipe(Effect.mapError((failure) => later(failure.message)))

  const publish = ({ account, network }: Membership, { grant: { id } }: Granted) =>
    control.call(account, (client) => client.localNodes.joined({ params: { network, localNode: id }, payload: { machine } })).pipe(
      Effect.map(({ expiresAt }) => ({ expiresAt })), Effect.mapError((failure) => ({ ...refusalOf(failure), final: false })))

  /** Whoever asked does not wait for long: what does not arrive is not sent again. */
  const reply = ({ account, network }: Membership, grant: LocalGrant, question: LocalQuestion) => Effect.flatMap(answer(grant, question), (found) =>
    Effect.ignore(control.call(account, (client) => client.localNodes.answer({ params: { network, localNode: grant.id }, payload: { machine, question: question.id, answer: found } }))))

  const renewOnce = (account: Account, { network }: Membership, { id }: LocalGrant, after: number, waitMs: number, patienceMs: number) => control.call(account, (client) =>
    client.localNodes.renew({ params: { network, localNode: id }, payload: { machine, after, waitMs } }), patienceMs)

  /** Renews for as long as it may, and says how it ended. */
  const renew = Effect.fnUntraced(function*(membership: Membership, { grant }: Granted, tell: (event: LocalJoinEvent) => void) {
    const { network } = membership
    let version = 0
    for (let failures = 0; ;) {
      const { account } = membership
      const waitMs = failures === 0 ? renewEveryMs : 0 // one that is back says so at once
      const outcome = yield* Effect.result(renewOnce(account, membership, grant, version, waitMs, waitMs + renewPatienceMs))
      if (outcome._tag === "Success") {
        failures = 0
        const { expiresAt, questions = [], topology } = outcome.success
        if (topology !== null) {
          version = topology.version
          known.put(network, topology)
          yield* Effect.timeoutOption(dataPlane.enforce, "5 seconds")
        }
        tell({ type: "control.reached", expiresAt, version })
        for (const question of questions) yield* Effect.forkChild(reply(membership, grant, question))
        continue
      }
      if (account !== membership.account) continue // another token has taken its place meanwhile
      const { detail, hint } = outcome.failure.problem
      if (problemName(outcome.failure) === "local-node-ended" && outcome.failure.problem["reason"] === "expired") return tell({ type: "right.expired", reason: detail })
      if (refusalOf(outcome.failure).final) return tell({ type: "right.revoked", reason: detail, next: hint })
      tell({ type: "control.lost", reason: detail })
      yield* Effect.sleep(Math.min(250 * 2 ** failures++, 5_000))
    }
  })

  const watchMesh = ({ grant: { networkId } }: Granted, tell: (event: LocalJoinEvent) => void) => Effect.gen(function*() {
    const node = yield* dataPlane.node(networkId)
    if (node === undefined) return tell({ type: "meshd.lost" }) // while the join was being published
    tell({ type: "mesh.changed", trouble: troubleOf(node) })
    yield* Stream.runForEach(dataPlane.events, (news) => Effect.sync(() => {
      if (news.event === "lost" || news.event === "connected") tell({ type: "meshd.lost" })
      if (news.event === "node" && news.data.network === networkId) tell({ type: "mesh.changed", trouble: troubleOf(news.data) })
    }))
  })

  const follow = (membership: Membership, granted: Granted): Stream.Stream<LocalJoinEvent> => Stream.callback<LocalJoinEvent>((queue) => {
    const tell = (event: LocalJoinEvent) => { Queue.offerUnsafe(queue, event) }
    return Effect.andThen(Effect.all([renew(membership, granted, tell), watchMesh(granted, tell)], { concurrency: "unbounded" }), Effect.never)
  })

  /** What cannot be told to the control plane ends there by itself. */
  const leave = ({ account, grant, network }: Membership) => Effect.gen(function*() {
    known.drop(network)
    yield* Effect.timeoutOption(dataPlane.enforce, "2 seconds")
    if (grant === undefined) return
    yield* Effect.timeoutOption(Effect.ignore(dataPlane.leave(grant.networkId)), "3 seconds")
    yield* Effect.ignore(control.call(account, (client) => client.localNodes.end({ params: { network, localNode: grant.id }, query: { machine } }), 3_000))
  })

  return {
    machineOf: (membership: Membership) => localJoinMachine.provide({ actors: {
      request: bridge.fromEffect(() => request(membership)), enter: bridge.fromEffect(enter), publish: bridge.fromEffect((granted: Granted) => publish(membership, granted)),
      follow: bridge.fromStream((granted: Granted) => follow(membership, granted), () => ({ type: "control.lost", reason: "an error in gstacks itself; see the log" } as const)),
      leave: bridge.fromEffect(() => leave(membership))
    } }),
    /** Renews the join with another account, which it hangs on from then on. When that fails it stays as it is. */
    adopt: (membership: Membership, grant: LocalGrant, account: Account): Effect.Effect<void, Failure> => Effect.gen(function*() {
      const { questions = [] } = yield* renewOnce(account, membership, grant, 0, 0, adoptPatienceMs)
      membership.account = account
      for (const question of questions) yield* Effect.forkDetach(reply(membership, grant, question))
    })
  }
})

export const isoNow: Effect.Effect<string> = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())
