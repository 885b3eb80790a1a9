/** Which lines of a log are said: one a minute about the same thing, however often it happens, with how often it did. */
const everyMs = 60_000
const mostThings = 4096

interface Said { readonly at: number; unsaid: number }

export class OnceAMinute {
  readonly #said = new Map<string, Said>()

  /** It happened `times` times more. How often since the line before, when it is time for a line; `now` is in milliseconds of any clock. */
  due(thing: string, times: number, now: number): number | undefined {
    const said = this.#said.get(thing)
    if (said !== undefined && now >= said.at && now - said.at < everyMs) {
      said.unsaid += times
      return undefined
    }
    this.#said.delete(thing) // it is the newest now
    if (this.#said.size >= mostThings) this.#said.delete(this.#said.keys().next().value!)
    this.#said.set(thing, { at: now, unsaid: 0 })
    return times + (said?.unsaid ?? 0)
  }
}

export const timesText = (count: number): string => count === 1 ? "once" : `${count} times`
