/**
 * An agent's Unix socket for the CLI's tests: the real RPC contract. Its one sandbox is this machine: `Exec` runs the
 * program as a child of the test, so that streams, signals and exit codes are real ones.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Cause, Effect, Layer, Logger, Queue, type Scope, Stream } from "effect"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import { contactOf } from "../../src/domain/Contact.ts"
import type { AgentName } from "../../src/domain/DnsLabel.ts"
import { ExecFailed, type ExecOutput, InspectFailed, LocalRpcs, type LocalStatus, NoSuchSandbox } from "../../src/protocol/local/LocalRpcs.ts"
import { FakeSight, sightHandlersOf } from "./fakeSight.ts"

export class FakeLocalAgent {
  readonly agent: string
  /** Names and ids that it answers to. */
  readonly sandboxes = new Set<string>()
  readonly running = new Map<string, ChildProcess>()
  readonly sight = new FakeSight()
  link = "online"
  /** Milliseconds since the last contact with the control plane; 0 while in touch. */
  outOfTouchMs = 0

  constructor(agent: string) {
    this.agent = agent
  }

  get status(): LocalStatus {
    return {
      agentId: null, agent: this.agent as AgentName, version: "0.1.0", pid: process.pid,
      link: { state: this.link, controlUrl: "http://127.0.0.1:7070", since: new Date(0).toISOString(), lastError: this.link === "online" ? null : "connection refused" },
      dataPlane: { state: "ready", generation: 1, meshdPid: null, lastError: null }, dns: { state: "serving", address: "127.0.0.1:1053" }, sandboxes: [], networks: [],
      contact: contactOf({ inTouch: this.outOfTouchMs === 0, last: Date.now() - this.outOfTouchMs, limitMs: 3_600_000 }, Date.now())
    }
  }

  find(sandbox: string): Effect.Effect<void, NoSuchSandbox> {
    return this.sandboxes.has(sandbox) ? Effect.void : Effect.fail(new NoSuchSandbox({ message: `sandbox ${sandbox} is not here`, hint: "gstacks sandbox list" }))
  }

  process(execId: string): Effect.Effect<ChildProcess, ExecFailed> {
    const found = this.running.get(execId)
    return found === undefined ? Effect.fail(new ExecFailed({ message: "that program has ended", hint: "" })) : Effect.succeed(found)
  }

  run(command: readonly [string, ...Array<string>], env: Readonly<Record<string, string>>, stdin: boolean): Stream.Stream<ExecOutput, ExecFailed> {
    return Stream.callback<ExecOutput, ExecFailed>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const child = spawn(command[0], command.slice(1), { env: { ...process.env, ...env }, stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"] })
          const execId = String(child.pid)
          this.running.set(execId, child)
          child.stdin?.on("error", () => {})
          child.on("error", (error) => Queue.failCauseUnsafe(queue, Cause.fail(new ExecFailed({ message: error.message, hint: "check the program's name" }))))
          child.on("spawn", () => Queue.offerUnsafe(queue, { _tag: "Started", execId }))
          child.stdout!.on("data", (bytes: Uint8Array) => Queue.offerUnsafe(queue, { _tag: "Stdout", bytes }))
          child.stderr!.on("data", (bytes: Uint8Array) => Queue.offerUnsafe(queue, { _tag: "Stderr", bytes }))
          child.on("close", (code, signal) => {
            this.running.delete(execId)
            Queue.offerUnsafe(queue, { _tag: "Exited", code: code ?? 128 + constants.signals[signal!] })
            Queue.endUnsafe(queue)
          })
          return child
        }),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      ))
  }
}

const handlers = (fake: FakeLocalAgent) =>
  LocalRpcs.toLayer({
    Status: () => Effect.sync(() => fake.status),
    Metrics: () => Effect.succeed("# EOF\n"),
    ...sightHandlersOf(fake.sight),
    Inspect: ({ forMs }) => forMs > 86_400_000
      ? Effect.fail(new InspectFailed({ message: "the inspector can be open for up to 24 hours", hint: "gstacks debug inspect --for 1h" }))
      : Effect.succeed({ url: "http://127.0.0.1:1", token: "t0ken", expiresAt: forMs }),
    Exec: ({ sandbox, command, env, stdin }) => Stream.unwrap(Effect.as(fake.find(sandbox), fake.run(command, env, stdin))),
    ExecInput: ({ execId, bytes }) =>
      Effect.flatMap(fake.process(execId), (child) =>
        Effect.callback<void>((resume) => {
          if (bytes === null) child.stdin!.end(() => resume(Effect.void))
          else child.stdin!.write(bytes, () => resume(Effect.void))
        })),
    ExecSignal: ({ execId, signal }) => Effect.map(fake.process(execId), (child) => void child.kill(signal)),
    Logs: ({ sandbox }) => Stream.unwrap(Effect.as(fake.find(sandbox), Stream.make("one\n", "two\n")))
  })

export const serveFakeLocalAgent = (fake: FakeLocalAgent, path: string): Effect.Effect<void, never, Scope.Scope> =>
  Layer.build(RpcServer.layer(LocalRpcs).pipe(
    Layer.provide(handlers(fake)),
    Layer.provide(RpcServer.layerProtocolSocketServer),
    Layer.provide([NodeSocketServer.layer({ path }), RpcSerialization.layerNdjson]),
    /** A client that leaves in the middle is a test's business, not news. */
    Layer.provide(Logger.layer([]))
  )).pipe(Effect.orDie, Effect.asVoid)
