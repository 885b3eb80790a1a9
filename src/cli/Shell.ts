/**
 * What the process that runs a command offers: words, environment, the three standard streams, a person at a terminal,
 * signals. The only way in which commands touch them, so that tests run commands in-process.
 */
import { Context, type Effect, type Scope } from "effect"

export type Signal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT"

/** A terminal's size, in characters. */
export interface Screen {
  readonly columns: number
  readonly rows: number
}

export class Shell extends Context.Service<Shell, {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Completes when the bytes were handed to the kernel, which gives backpressure and makes a later exit safe. */
  readonly out: (chunk: string | Uint8Array) => Effect.Effect<void>
  readonly err: (chunk: string | Uint8Array) => Effect.Effect<void>
  /** Whether standard output is a terminal that shows colours, and NO_COLOR is not set. */
  readonly colours: boolean
  /** Null when standard output is no terminal that can be drawn on; otherwise its size at the moment. */
  readonly screen: Effect.Effect<Screen> | null
  /** The next bytes of standard input, null at its end. Reads nothing ahead. */
  readonly read: Effect.Effect<Uint8Array | null>
  /** Whether a person can be asked: input and error stream are both terminals. */
  readonly interactive: boolean
  /** Asks on the error stream; `hidden` does not show what is typed. */
  readonly ask: (question: string, options?: { readonly hidden?: boolean }) => Effect.Effect<string>
  /**
   * Until the scope closes, signals go to `handler` instead of ending the command. Later ones do nothing: what took signals is about to
   * end, and one key press may be heard of after the end of the program that it ended.
   */
  readonly onSignal: (handler: (signal: Signal) => Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}>()("gstacks/cli/Shell") {}
