/**
 * How long a rule takes from stored to applied, on 2 and on 8 agents: by the receipt of the control plane, and, not
 * believing it, as a client in a sandbox sees it, from the request on.
 */
import { below, product, type Aim, type Figure } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { Story } from "./Story.ts"

/** Half of them allow, half revoke. */
const changes = 200
const patienceMs = 20_000

export const rules = async (found: (figure: Figure) => void): Promise<void> => {
  for (const hosts of [2, 8]) {
    await using story = await Story.begin(hosts)
    const receipts: Array<number> = [], allowed: Array<number> = [], refused: Array<number> = []
    using seen = await story.watch(600)
    await seen.next()
    const load = new ForeignLoad(patienceMs)
    await load.quiet()
    for (let i = 0; i < changes; i += 2) {
      const asked = Date.now()
      const rule = await story.allow()
      receipts.push(await story.applied(rule.change.version))
      allowed.push((await seen.after(asked, (sight) => sight.answers)).ended - asked)

      const asked2 = Date.now()
      const revoked = await story.revoke(rule.value.id)
      receipts.push(await story.applied(revoked.change.version))
      refused.push((await seen.after(asked2, (sight) => !sight.answers)).ended - asked2)
    }
    const figure = (what: string, samples: ReadonlyArray<number>, at: number, aim?: Aim): void =>
      found({
        row: "rules", what: `${what}, ${hosts} agents, ${at === 0.5 ? "median" : "p99"}`, unit: "ms", at, ours: { name: product, samples }, references: [], foreignLoad: load.samples,
        ...(aim === undefined ? {} : { aim })
      })
    figure("stored -> applied (receipt)", receipts, 0.5)
    figure("stored -> applied (receipt)", receipts, 0.99, below(50))
    figure("request -> first stream (client)", allowed, 0.5)
    figure("request -> first stream (client)", allowed, 0.99)
    figure("request -> first refusal (client)", refused, 0.5)
    figure("request -> first refusal (client)", refused, 0.99)
  }
}
