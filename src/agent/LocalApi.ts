/** The agent's Unix socket: what works without the control plane, for whoever may open a file of mode 0600 in a folder of mode 0700. */
import { Effect, Layer, Stream } from "effect"
import { RpcServer } from "effect/rpc"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { sightHandlers } from "../actors/sight/Sight.ts"
import { together } from "../domain/AliasMetrics.ts"
import { openMetrics } from "../domain/AliasMetrics/openMetrics.ts"
import { HostRpcs, LocalRpcs, NoSuchSandbox } from "../protocol/local/LocalRpcs.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { ExecFailed } from "../protocol/local/LocalRpcs.ts"
import { Flows } from "./Flows.ts"
import { Inspector } from "./inspector/Inspector.ts"
import { Knowledge } from "./Knowledge.ts"
import { localSocket } from "./localSocket.ts"
import { localStatus } from "./localStatus.ts"
import { environmentOf } from "./sandboxes/bwrap.ts"
import { Exec } from "./sandboxes/Exec.ts"
import { followOutput, lastOutput } from "./sandboxes/logs.ts"
import { Sandboxes } from "./Sandboxes.ts"

const lastLogBytes = 1024 * 1024

const host = HostRpcs.toLayer(Effect.gen(function*() {
  const actors = yield* ActorSystem
  const exec = yield* Exec
  const flows = yield* Flows
  const inspector = yield* Inspector
  const knowledge = yield* Knowledge
  const sandboxes = yield* Sandboxes
  const status = yield* localStatus

  const find = (ref: string) => Effect.suspend(() => {
    const wanted = sandboxes.find(ref)
    return wanted === undefined
      ? Effect.fail(new NoSuchSandbox({ message: `no sandbox "${ref}" runs on this host`, hint: "see where it runs: gstacks sandbox list" }))
      : Effect.succeed(wanted)
  })

  return HostRpcs.of({
    Status: () => status,
    Metrics: () => Effect.map(flows.metrics(null), (metrics) => openMetrics(together(metrics), new Map([...knowledge.topologies.values()].map(({ name, networkId }) => [networkId, name])))),
    Inspect: ({ forMs }) => inspector.open(forMs),
    Exec: ({ sandbox, command, env, stdin }) => Stream.unwrap(Effect.gen(function*() {
      const { id, name, spec } = yield* find(sandbox)
      const process = knowledge.running.get(id)
      if (process === undefined) return yield* new ExecFailed({ message: `sandbox ${name} is not running`, hint: `see how it ended: gstacks sandbox show ${name}` })
      return exec.run({ process, command, stdin, env: { ...environmentOf(name, spec), ...env } })
    })),
    ExecInput: ({ execId, bytes }) => exec.input(execId, bytes),
    ExecSignal: ({ execId, signal }) => exec.signal(execId, signal),
    Logs: ({ sandbox, follow }) => Stream.unwrap(Effect.map(find(sandbox), ({ id }) => follow
      ? followOutput(sandboxes.folder(id), Effect.ignore(actors.waitFor(Address.sandbox(id), (state) => state === "stopped" || state === "failed")))
      : Stream.map(Stream.fromEffect(lastOutput(sandboxes.folder(id), lastLogBytes)), ({ text }) => text)))
  })
}))

const server = Layer.unwrap(Effect.map(Config, ({ agentSocket }) => RpcServer.layer(LocalRpcs).pipe(
  Layer.provide(localSocket(agentSocket, `another agent answers at ${agentSocket}; stop it, or give this one a GLOBALSTACKS_RUNTIME_DIR of its own`)))))

export const layer = server.pipe(Layer.provide(Layer.merge(host, sightHandlers)))
