/** Waits for a condition over plain data of a test: whoever changes the data says so, nothing is polled. */
import { Effect } from "effect"

export class Changes {
  readonly #looking = new Set<() => void>()

  /** The data has changed. */
  readonly told = (): void => this.#looking.forEach((look) => look())

  until(what: string, holds: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const look = () => {
        if (!holds()) return
        this.#looking.delete(look)
        resume(Effect.void)
      }
      this.#looking.add(look)
      look()
      return Effect.sync(() => this.#looking.delete(look))
    }).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.die(new Error(`not within 5 s: ${what}`)) }))
  }
}

/** What a command that goes on says, its notes too. */
export class Transcript {
  text = ""
  readonly #changes = new Changes()

  readonly onOut = (text: string): void => {
    this.text += text
    this.#changes.told()
  }

  readonly onErr = this.onOut

  until(pattern: RegExp): Effect.Effect<void> {
    return this.#changes.until(`${pattern} in the output`, () => pattern.test(this.text))
  }
}
