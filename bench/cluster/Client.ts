/** `loadgen` as a client that goes on, and tells a line each time that something happens. */
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { loadgen, type Story } from "./Story.ts"

export class Client implements Disposable {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** `words`: behind `gstacks`, what runs loadgen somewhere. */
  constructor(story: Story, words: ReadonlyArray<string>) {
    this.#process = spawn(story.program, words, { env: story.cluster.env, stdio: ["ignore", "pipe", "inherit"] })
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]()
  }

  static inSandbox(story: Story, sandbox: string, args: ReadonlyArray<string>): Client {
    return new Client(story, ["sandbox", "exec", sandbox, "--", loadgen, ...args])
  }

  /** Times are milliseconds of the clock on the wall. */
  async next(): Promise<{ readonly open?: number; readonly last?: number }> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error(`${this.#process.spawnargs.join(" ")}: ended`)
    return JSON.parse(value)
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }
}
