/** The agent's Unix socket: what works without the control plane, for whoever may open a file of mode 0600 in a folder of mode 0700. */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Effect, Layer, Schema, Stream } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { chmod, mkdir, rm } from "node:fs/promises"
import { createConnection } from "node:net"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import { LocalRpcs, NoSuchSandbox } from "../protocol/local/LocalRpcs.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { ExecFailed } from "../protocol/local/LocalRpcs.ts"
import { Knowledge } from "./Knowledge.ts"
import { localStatus } from "./localStatus.ts"
import { environmentOf } from "./sandboxes/bwrap.ts"
import { Exec } from "./sandboxes/Exec.ts"
import { followOutput, lastOutput } from "./sandboxes/logs.ts"
import { Sandboxes } from "./Sandboxes.ts"

export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>()("AlreadyRunning", { message: Schema.String }) {}

const lastLogBytes = 1024 * 1024

const handlers = LocalRpcs.toLayer(Effect.gen(function*() {
  const actors = yield* ActorSystem
  const exec = yield* Exec
  const knowledge = yield* Knowledge
  const sandboxes = yield* Sandboxes
  const status = yield* localStatus

  const find = (ref: string) => Effect.suspend(() => {
    const wanted = sandboxes.find(ref)
    return wanted === undefined
      ? Effect.fail(new NoSuchSandbox({ message: `no sandbox "${ref}" runs on this host`, hint: "see where it runs: gstacks sandbox list" }))
      : Effect.succeed(wanted)
  })

  return LocalRpcs.of({
    Status: () => status,
    Actors: () => Effect.map(actors.tree, (tree) => tree.map((actor) => ({
      address: actor.address, kind: actor.kind, machine: actor.machine, state: actor.state, since: actor.since, restarts: actor.restarts,
      mailbox: actor.mailbox, lastError: actor.lastError ?? errorOf(actor.context)
    }))),
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

/** Some machines keep the reason of their trouble in their context. */
const errorOf = (context: Readonly<Record<string, unknown>>): string | null => typeof context["lastError"] === "string" ? context["lastError"] : null

const answers = (path: string): Effect.Effect<boolean> => Effect.callback((resume) => {
  const socket = createConnection(path)
  const say = (yes: boolean) => { socket.destroy(); resume(Effect.succeed(yes)) }
  socket.once("connect", () => say(true)).once("error", () => say(false))
})

const server = Layer.unwrap(Effect.gen(function*() {
  const { agentSocket, runtimeDir } = yield* Config
  yield* Effect.promise(() => mkdir(runtimeDir, { recursive: true, mode: 0o700 }))
  yield* Effect.promise(() => chmod(runtimeDir, 0o700)) // it may have been there; a socket is open to all for a moment
  if (yield* answers(agentSocket)) {
    return yield* new AlreadyRunning({ message: `another agent answers at ${agentSocket}; stop it, or give this one a GLOBALSTACKS_RUNTIME_DIR of its own` })
  }
  yield* Effect.promise(() => rm(agentSocket, { force: true }))
  const listening = NodeSocketServer.layer({ path: agentSocket })
  const closed = Layer.effectDiscard(Effect.promise(() => chmod(agentSocket, 0o600))).pipe(Layer.provide(listening))
  return Layer.merge(closed, RpcServer.layer(LocalRpcs).pipe(
    Layer.provide(RpcServer.layerProtocolSocketServer), Layer.provide(RpcSerialization.layerNdjson), Layer.provide(listening)))
}))

export const layer = server.pipe(Layer.provide(handlers))
