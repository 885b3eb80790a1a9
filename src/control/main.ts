/** `gstacks control`: the control plane's process. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger } from "effect"
import { HttpRouter } from "effect/http"
import { ensureAdminToken } from "./adminToken.ts"
import * as Config from "./Config.ts"
import * as ControlPlane from "./ControlPlane.ts"
import * as Listeners from "./http/Listeners.ts"
import * as Routes from "./http/Routes.ts"
import { Tree } from "./Tree.ts"

const serve = (config: Config.Config) => Effect.gen(function*() {
  yield* ensureAdminToken(config.stateDir)
  const app = yield* HttpRouter.toHttpEffect(Routes.layer)
  yield* Listeners.serve(app, { tcp: config.listen, socket: config.listenSocket })
  yield* Effect.logInfo(`The control plane listens on ${config.listen.host}:${config.listen.port}.`)
  return yield* (yield* Tree).failed
})

const program = Effect.gen(function*() {
  const config = yield* Config.read(process.env)
  return yield* Effect.scoped(serve(config)).pipe(Effect.provide(ControlPlane.layer(config)))
})

const logs = Logger.layer([Logger.withConsoleError(Logger.formatJson)])

program.pipe(Effect.provide(Layer.merge(NodeHttpServer.layerHttpServices, logs)), NodeRuntime.runMain)
