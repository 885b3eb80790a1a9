/** The test's side of test/pausing: asks a process to stop in a state, and sees that it has. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { eventually } from "../../e2e/fixture.ts"

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

export class Pauses {
  readonly folder = mkdtempSync("/tmp/gs-pauses-")
  /** For the processes that can be asked. */
  readonly settings = { GSTACKS_PAUSES: this.folder }

  /** The next entry into this state stops the process. */
  arm(process: string, state: string): void {
    writeFileSync(join(this.folder, process), state)
  }

  /** Answers once it has stopped there. `pid` is asked when it is on its way. */
  async stopped(process: string, state: string, pid: () => number | undefined): Promise<void> {
    const here = join(this.folder, `${process}.here`)
    await eventually(`${process} enters ${state}`, () => textOf(here) === state && /^State:\s*T/m.test(textOf(`/proc/${pid()}/status`) ?? ""), 75_000)
    rmSync(here)
  }

  disarm(process: string): void {
    for (const file of [process, `${process}.here`]) rmSync(join(this.folder, file), { force: true })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
