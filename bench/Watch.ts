/** A client in a sandbox that asks the far end again and again, and tells when that begins, ceases, or takes long. */
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"

/** Times in milliseconds since the epoch. */
export interface Sight {
  readonly answers: boolean
  readonly begun: number
  readonly ended: number
  readonly error?: string
}

export class Watch implements Disposable {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** `argv` runs `loadgen watch` where the client lives. */
  constructor(argv: ReadonlyArray<string>, env: NodeJS.ProcessEnv = process.env) {
    const [command, ...args] = argv
    const child = spawn(command!, args, { env, stdio: ["ignore", "pipe", "inherit"] })
    this.#process = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  async next(): Promise<Sight> {
    const sight = await this.read()
    if (sight === undefined) throw new Error(`${this.#process.spawnargs.join(" ")}: saw no further change`)
    return sight
  }

  /** Undefined when the client has ended. */
  async read(): Promise<Sight | undefined> {
    const { done, value } = await this.#lines.next()
    if (done === true) return undefined
    const { answers, at, error, tookMillis } = JSON.parse(value) as { answers: boolean; at: number; tookMillis: number; error?: string }
    return { answers, begun: at, ended: at + tookMillis, ...(error === undefined ? {} : { error }) }
  }

  /** The first sight that fits and ended after `time`. */
  async after(time: number, fits: (sight: Sight) => boolean): Promise<Sight> {
    for (;;) {
      const sight = await this.next()
      if (sight.ended > time && fits(sight)) return sight
    }
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }
}
