/**
 * The inspector page of this agent alone. Nothing listens until somebody asks over the local socket; then the page and what it shows
 * are served on a free port of the loopback, to whoever has the token, until the time is over or the agent ends.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Clock, Context, Effect, Exit, Layer, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { Sight } from "../../actors/sight/Sight.ts"
import { boundUnread } from "../../protocol/http/unread.ts"
import { InspectFailed } from "../../protocol/local/LocalRpcs.ts"
import { Config } from "../Config.ts"
import { Knowledge } from "../Knowledge.ts"
import { onlyOwnHost } from "./hostCheck.ts"
import * as Routes from "./Routes.ts"

const longestMs = 24 * 3_600_000
const mostOpen = 8
/** A page holds a few; a client that opens more waits. */
const mostConnections = 32

export class Inspector extends Context.Service<Inspector, {
  readonly open: (forMs: number) => Effect.Effect<{ readonly url: string; readonly token: string; readonly expiresAt: number }, InspectFailed>
}>()("gstacks/agent/Inspector") {
  static readonly layer = Layer.effect(Inspector, Effect.suspend(() => make))
}

const make = Effect.gen(function*() {
  const config = yield* Config
  const knowledge = yield* Knowledge
  const scope = yield* Effect.scope
  const services = Context.merge(yield* Effect.context<Sight>(), yield* Layer.build(NodeHttpServer.layerHttpServices))
  let sessions = 0

  const serve = Effect.fnUntraced(function*(token: string) {
    const node = createServer()
    node.maxConnections = mostConnections
    const unread = boundUnread(node)
    const app = yield* HttpRouter.toHttpEffect(Routes.layer({ token, folder: config.inspectorFiles, agent: knowledge.identity?.name ?? config.name }))
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port: 0, disablePreemptiveShutdown: true })
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    const port = "port" in server.address ? server.address.port : 0
    yield* server.serve(unread(onlyOwnHost(port, app)))
    return port
  })

  const open = Effect.fn("Inspector.open")(function*(forMs: number) {
    if (forMs <= 0 || forMs > longestMs) return yield* new InspectFailed({ message: "the inspector can be open for up to 24 hours", hint: "gstacks debug inspect --for 1h" })
    if (sessions >= mostOpen) return yield* new InspectFailed({ message: `${mostOpen} inspectors are open already`, hint: "use one of them, or wait until one closes" })
    const session = yield* Scope.fork(scope)
    sessions++
    yield* Scope.addFinalizer(session, Effect.sync(() => { sessions-- }))
    const token = randomBytes(32).toString("base64url")
    const port = yield* serve(token).pipe(
      Scope.provide(session), Effect.provideContext(services),
      Effect.mapError(({ cause }) => new InspectFailed({ message: `the inspector cannot listen on the loopback: ${String(cause)}`, hint: "gstacks doctor" })),
      Effect.onError((cause) => Scope.close(session, Exit.failCause(cause)))
    )
    yield* Effect.forkIn(Effect.delay(Scope.close(session, Exit.void), forMs), scope)
    return { url: `http://127.0.0.1:${port}`, token, expiresAt: (yield* Clock.currentTimeMillis) + forMs }
  })
  return Inspector.of({ open })
})
