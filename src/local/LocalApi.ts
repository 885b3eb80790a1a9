/** The socket at which the user's commands reach this process. */
import { Clock, Effect, Layer, Stream } from "effect"
import { RpcServer } from "effect/rpc"
import { Sight, sightHandlers } from "../actors/sight/Sight.ts"
import { localSocket } from "../agent/localSocket.ts"
import { version } from "../agent/version.ts"
import { LocalProcessRpcs, MeshRefused, MeshRpcs } from "../protocol/local/MeshRpcs.ts"
import type { ForwardStatus } from "../protocol/local/MeshRpcs.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import { AllForwards, allOf } from "./AllForwards.ts"
import { Commands } from "./Commands.ts"
import { ControlPlanes } from "./ControlPlanes.ts"
import { type ForwardWish, Forwards } from "./Forwards.ts"
import { Joins } from "./Joins.ts"
import { isoNow } from "./Joins/membership.ts"
import { Known } from "./Known.ts"
import { placeFor } from "./place.ts"
import { Places } from "./Places.ts"
import { Publications } from "./Publications.ts"

/** Why the policy denies it, in the control plane's words, and which rule would allow it. */
const explained = Effect.fnUntraced(function*({ network, alias, port }: ForwardWish) {
  const joins = yield* Joins
  const control = yield* ControlPlanes
  const { account, grant } = yield* joins.membership(network)
  const source = grant === undefined ? "local" : `local:${grant.user}` // a rule may be for this user alone, or for another
  const found = yield* control.call(account, (client) => client.networks.explain({ params: { network }, query: { source, alias, port } })).pipe(
    Effect.mapError(({ problem }) => new MeshRefused({ code: "forward-refused", message: problem.detail, hint: problem.hint })))
  return yield* found.verdict === "allowed"
    ? new MeshRefused({ code: "not-there-yet", message: `${alias}:${port} is permitted, but this machine has not heard of it yet`, hint: "try again in a second; see gstacks mesh status" })
    : new MeshRefused({ code: "denied", message: found.reason, hint: found.wouldAllow ?? `gstacks network policy list ${network}` })
})

const closePatience = "5 seconds"

const started = (status: ForwardStatus): boolean => status.state !== "opening"
const settled = (status: ForwardStatus) => status.state === "refused"
  ? Effect.fail(new MeshRefused({ code: "cannot-listen", message: `cannot listen at ${status.listen}: ${status.reason ?? "no reason given"}`, hint: "choose another address: --local <port>, or --local unix:/path" }))
  : Effect.succeed(status)

const handlers = MeshRpcs.toLayer(Effect.gen(function*() {
  const joins = yield* Joins
  const forwards = yield* Forwards
  const allForwards = yield* AllForwards
  const commands = yield* Commands
  const known = yield* Known
  const publications = yield* Publications
  const since = yield* isoNow
  const services = yield* Effect.context<Joins | ControlPlanes | DataPlane | Places>()

  /** A network in which this machine has a place. */
  const present = (network: string) => Effect.gen(function*() {
    yield* joins.membership(network)
    if (known.hasEnded(network, yield* Clock.currentTimeMillis)) {
      return yield* new MeshRefused({ code: "expired", message: `the join of ${network} has expired: hosts let nothing of this machine in`, hint: "it joins again by itself once the control plane answers; see gstacks mesh status" })
    }
  })

  const open = (request: ForwardWish) => Effect.gen(function*() {
    yield* present(request.network)
    if (known.way(request.network, request.alias, request.port, yield* Clock.currentTimeMillis) === undefined) return yield* Effect.provideContext(explained(request), services)
    return yield* forwards.open(request)
  })

  /** A network that has told what is in it. */
  const entered = (network: string) => Effect.gen(function*() {
    yield* present(network)
    if (known.topology(network) === undefined) return yield* new MeshRefused({ code: "not-joined", message: `this machine has not come into network ${network} yet`, hint: "gstacks mesh status" })
  })

  return MeshRpcs.of({
    Status: () => Effect.map(
      Effect.all({ networks: joins.list, forwards: forwards.list, commands: commands.list, published: publications.list }, { concurrency: "unbounded" }),
      (seen) => ({ pid: process.pid, version, since, ...seen })),
    Join: ({ network, url, token }) => joins.join(network, { url, token }),
    Leave: ({ network }) => Effect.gen(function*() {
      yield* joins.membership(network)
      const closing = [allForwards.stop(network), forwards.closeEach((forward) => forward.network === network), publications.endAll(network)]
      yield* Effect.timeoutOption(Effect.all(closing, { concurrency: "unbounded", discard: true }), closePatience) // what hangs loses its permits all the same
      return yield* joins.leave(network)
    }),
    Publish: publications.publish,
    Unpublish: ({ alias, network }) => publications.unpublish(network, alias),
    Forward: ({ keep, ...asked }) => Stream.unwrap(Effect.gen(function*() {
      const request = { ...asked, kept: keep, all: false }
      const id = yield* keep ? open(request) : Effect.acquireRelease(open(request), forwards.close)
      const shown = Stream.mapEffect(Stream.filter(forwards.changes(id), started), (status) =>
        Effect.tapError(settled(status), () => keep ? forwards.close(id) : Effect.void))
      return keep ? Stream.take(shown, 1) : shown
    })),
    ForwardAll: ({ keep, network }) => Stream.unwrap(Effect.gen(function*() {
      yield* present(network)
      const whole = yield* keep ? allForwards.start(network, true) : Effect.acquireRelease(allForwards.start(network, false), (own) => allForwards.stop(network, own))
      const shown = Stream.filter(allForwards.changes(whole), (all) => all.every(started))
      return keep ? Stream.take(shown, 1) : shown
    })),
    Unforward: ({ id }) => Effect.gen(function*() {
      const network = allForwards.named(id)
      if (network !== undefined) return yield* Effect.tap(allForwards.list(network), () => allForwards.stop(network))
      const one = yield* forwards.one(id)
      if (one.all) return yield* new MeshRefused({ code: "one-of-all", message: `${id} is there because all of ${one.network} is forwarded`, hint: `gstacks mesh close ${allOf(one.network)}` })
      yield* forwards.close(id)
      return [one]
    }),
    Place: ({ network }) => Effect.andThen(entered(network), Effect.provideContext(placeFor(network), services)),
    Exec: (request) => Stream.unwrap(Effect.gen(function*() {
      yield* entered(request.network)
      const id = yield* Effect.acquireRelease(commands.start(request), commands.stop)
      yield* commands.served(id)
      return commands.changes(id)
    }))
  })
}))

const server = Layer.unwrap(Effect.map(Places, ({ socket }) => RpcServer.layer(LocalProcessRpcs).pipe(
  Layer.provide(localSocket(socket, `another background process answers at ${socket}`)))))

export const layer = Layer.provide(server, Layer.merge(handlers, Layer.provide(sightHandlers, Sight.layer)))
