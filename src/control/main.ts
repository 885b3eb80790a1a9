/** `gstacks control`: the control plane's process. Ends with 0 when it was told to, with 1 and the reason in the log when it cannot go on. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
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
const isFailure = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)

program.pipe(
  Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("The control plane cannot go on.", cause)),
  Effect.provide(Layer.merge(NodeHttpServer.layerHttpServices, logs)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, end) => end(isFailure(exit) ? 1 : 0) })
)
