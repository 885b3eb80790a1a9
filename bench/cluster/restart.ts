/** Kill -9 of a meshd in a whole cluster: how long until a client's new streams are answered again, with the real agent putting things right. */
import type { Figure } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { recovery, recoveryFigures, watchSeconds, type Recovery } from "../Recovery.ts"
import { Story } from "./Story.ts"

const patienceMs = 20_000

export const clusterRestart = async (found: (figure: Figure) => void, rounds: number): Promise<void> => {
  await using story = await Story.begin(2)
  await story.applied((await story.allow()).change.version)
  await story.answering(60_000)
  for (const [host, whose] of [["host-1", "source's"], ["host-2", "target's"]] as const) {
    const load = new ForeignLoad(patienceMs)
    const samples: Array<Recovery> = []
    for (let round = 0; round < rounds; round++) {
      await load.quiet()
      using seen = await story.watch(watchSeconds)
      await seen.after(0, (sight) => sight.answers)
      const killed = Date.now()
      story.cluster.kill("meshd", host)
      samples.push(await recovery(seen, killed))
    }
    recoveryFigures("cluster-restart", `kill -9 of the ${whose} meshd, with its agent`, samples, load).forEach(found)
  }
}
