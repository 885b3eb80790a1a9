/** Lines for the agent's log about what was refused: one for each source and alias in a minute, whatever is tried how often. */
import { Array } from "effect"
import type { Refusal } from "../../domain/Flow.ts"
import { OnceAMinute, timesText } from "../../domain/OnceAMinute.ts"

export class RefusalLog {
  readonly #pairs = new OnceAMinute()

  lines(refusals: ReadonlyArray<Refusal>, now: number): ReadonlyArray<string> {
    return Object.entries(Array.groupBy(refusals, ({ networkId, sourceId, alias }) => `${networkId} ${sourceId} ${alias}`)).flatMap(([pair, group]) => {
      const count = this.#pairs.due(pair, group.reduce((sum, refusal) => sum + refusal.count, 0), now)
      if (count === undefined) return []
      const { alias, networkId, source } = group[0]
      const ports = group.map(({ port }) => port).join(", ")
      return [`refused: ${source} to ${alias} (${networkId}), port ${ports}, ${timesText(count)}; who may: gstacks network policy list ${networkId}`]
    })
  }
}
