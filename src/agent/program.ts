/** What `gstacks agent run` does, until it is interrupted. Sandboxes and meshd stay. */
import { Effect, Layer, Logger } from "effect"
import * as Agent from "./Agent.ts"
import { Config } from "./Config.ts"

const run = Effect.gen(function*() {
  const config = yield* Config
  if (config.proxyBind !== undefined) yield* Effect.logWarning("GLOBALSTACKS_AGENT_MESH_PROXY_BIND is set, and not used yet: only sandboxes with a network namespace of their own are served")
  const tree = yield* Agent.start
  yield* Effect.logInfo(`the agent runs as ${config.name}, its socket is ${config.agentSocket}`)
  return yield* tree.failed
}).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(Agent.services, Config.layer)))

const logs: Layer.Layer<never> = Logger.layer([Logger.withConsoleError(Logger.formatJson)])

export const program = Effect.provide(run, logs)
