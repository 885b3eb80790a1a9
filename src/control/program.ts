/** What `gstacks control` does, until it is interrupted; it fails, and has told the log why, when it cannot go on. */
import { NodeHttpServer } from "@effect/platform-node"
import { Cause, Effect, Layer, Logger } from "effect"
import { HttpRouter } from "effect/http"
import { join } from "node:path"
import { ensureAdminToken } from "./adminToken.ts"
import * as Config from "./Config.ts"
import * as ControlPlane from "./ControlPlane.ts"
import * as Listeners from "./http/Listeners.ts"
import * as Routes from "./http/Routes.ts"
import { Tree } from "./Tree.ts"

const serve = (config: Config.Config) => Effect.gen(function*() {
  yield* ensureAdminToken(config.stateDir)
  const app = yield* HttpRouter.toHttpEffect(Routes.layer(join(import.meta.dirname, "inspector")))
  yield* Listeners.serve(app, { tcp: config.listen, socket: config.listenSocket })
  yield* Effect.logInfo(`The control plane listens on ${config.listen.host}:${config.listen.port}.`)
  return yield* (yield* Tree).failed
})

const run = Effect.gen(function*() {
  const config = yield* Config.read(process.env)
  return yield* Effect.scoped(serve(config)).pipe(Effect.provide(ControlPlane.layer(config)))
})

const logs = Logger.layer([Logger.withConsoleError(Logger.formatJson)])

export const program = run.pipe(
  Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("The control plane cannot go on.", cause)),
  Effect.provide(Layer.merge(NodeHttpServer.layerHttpServices, logs))
)
