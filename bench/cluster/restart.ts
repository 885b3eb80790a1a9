/** Kill -9 of a meshd in a whole cluster: how long until a client's new streams are answered again, with the real agent putting things right. */
import { below, product, type Figure } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { Story } from "./Story.ts"

const patienceMs = 20_000

export const clusterRestart = async (found: (figure: Figure) => void, rounds: number): Promise<void> => {
  await using story = await Story.begin(2)
  await story.applied((await story.allow()).change.version)
  for (const [host, whose] of [["host-1", "source's"], ["host-2", "target's"]] as const) {
    const samples: Array<number> = []
    const load = new ForeignLoad(patienceMs)
    for (let round = 0; round < rounds; round++) {
      await load.quiet()
      using seen = await story.watch(60)
      await seen.after(0, (sight) => sight.answers)
      const killed = Date.now()
      story.cluster.kill("meshd", host)
      samples.push((await seen.after(killed, (sight) => sight.answers)).ended - killed)
    }
    found({
      row: "cluster-restart", what: `new streams after a kill -9 of the ${whose} meshd, with its agent`, unit: "ms", ours: { name: product, samples },
      references: [], aim: below(3000), foreignLoad: load.samples
    })
  }
}
