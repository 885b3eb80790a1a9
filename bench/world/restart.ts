/**
 * Kill -9 of one meshd while a client in the source sandbox keeps asking: the time from the kill to the first new stream
 * that is answered again. This file restarts meshd at once and gives it its networks and plan back, as init and agent do.
 */
import { loadgen, port, serve } from "./loadgen.ts"
import { inside, ours } from "./namespaces.ts"
import { deliver, note, options } from "./options.ts"
import { startPair } from "./Pair.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { recovery, recoveryFigures, watchSeconds, type Recovery } from "../Recovery.ts"
import { Watch } from "../Watch.ts"

const network = "net_restart"

export const restart = async (): Promise<void> => {
  const server = await serve(ours.far)
  const pair = await startPair("restart", [network])
  await pair.join(network)
  await pair.permit(network)
  const samples: [Array<Recovery>, Array<Recovery>] = [[], []]
  const load = new ForeignLoad(options().patienceMs)
  for (let round = 0; round < options().rounds; round++) {
    note(`restart: round ${round + 1} of ${options().rounds}`)
    for (const host of [0, 1] as const) {
      await load.quiet()
      using seen = new Watch(inside(ours.source, [loadgen, "watch", "-addr", `${pair.alias(network)}:${port}`, "-seconds", String(watchSeconds)]))
      const first = await seen.next()
      if (!first.answers) throw new Error(`the alias does not answer before the restart: ${first.error}`)
      const killed = Date.now()
      await pair.hosts[host].kill()
      await pair.hosts[host].start()
      await pair.rejoin(host, network)
      await pair.apply(host)
      samples[host].push(await recovery(seen, killed))
    }
  }
  for (const [host, what] of ["source's", "target's"].entries()) {
    recoveryFigures("restart", `kill -9 of the ${what} meshd`, samples[host]!, load).forEach(deliver)
  }
  await pair.kill()
  await server.kill()
}
