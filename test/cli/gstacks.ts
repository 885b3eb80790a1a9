/** Runs one command line in-process, with a shell of its own: words in; exit code and both outputs out. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gstacks as commands } from "../../src/cli/commands/gstacks.ts"
import { ControlApi } from "../../src/cli/ControlApi.ts"
import { globalFlags } from "../../src/cli/GlobalFlags.ts"
import { LocalAgent } from "../../src/cli/LocalAgent.ts"
import { LocalDaemon } from "../../src/cli/LocalDaemon.ts"
import { run } from "../../src/cli/run.ts"
import { type Screen, Shell, type Signal } from "../../src/cli/Shell.ts"

const tree = commands.pipe(Command.provide(Layer.provideMerge(Layer.merge(LocalAgent.layer, LocalDaemon.layer), ControlApi.layer)), Command.withGlobalFlags(globalFlags))

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  /** A person at a terminal who answers this. */
  readonly answer?: string
  /** Standard output is a terminal of this size. */
  readonly screen?: Screen
  /** Called with each piece of standard output as it comes, for commands that go on. */
  readonly onOut?: (text: string) => void
  /** The same of standard error. */
  readonly onErr?: (text: string) => void
  /** Given the way to send a signal once the command listens for some. */
  readonly onListening?: (send: (signal: Signal) => Effect.Effect<void>) => Effect.Effect<void>
}

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Uint8Array
}

export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "gs-cli-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const words = (line: string | ReadonlyArray<string>) => typeof line === "string" ? line.split(" ") : line

export const gstacks = (line: string | ReadonlyArray<string>, options: Options = {}): Effect.Effect<Ended> =>
  Effect.suspend(() => {
    const out: Array<Uint8Array> = [], err: Array<Uint8Array> = []
    const into = (chunks: Array<Uint8Array>, told?: (text: string) => void) => (chunk: string | Uint8Array) =>
      Effect.sync(() => { chunks.push(Buffer.from(chunk)); told?.(chunk.toString()) })
    const input = options.stdin === undefined ? [] : [Buffer.from(options.stdin)]
    const shell = Layer.succeed(Shell, {
      args: words(line), env: { XDG_CONFIG_HOME: "/nonexistent", XDG_STATE_HOME: "/nonexistent", ...options.env },
      out: into(out, options.onOut), err: into(err, options.onErr), colours: false, screen: options.screen === undefined ? null : Effect.succeed(options.screen), interactive: options.answer !== undefined,
      read: Effect.sync(() => input.shift() ?? null),
      ask: () => Effect.succeed(options.answer ?? ""),
      onSignal: (handler) => options.onListening?.(handler) ?? Effect.void
    })
    return run(tree).pipe(
      Effect.provide(Layer.merge(shell, NodeServices.layer)),
      Effect.map((code) => ({ code, bytes: Buffer.concat(out), stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }))
    )
  })
