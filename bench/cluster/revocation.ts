/**
 * How long a revocation takes from the request until the client sees its last stream broken off, with 1, 100 and 1,000 streams open,
 * on 2 and on 8 hosts (then every host but the server's holds its part of them), idle and loaded. Beside it what the receipt says.
 */
import type { Receipt } from "../../src/domain/Receipt.ts"
import { below, product, type Aim, type Figure } from "../figures.ts"
import { ForeignLoad } from "../ForeignLoad.ts"
import { Client } from "./Client.ts"
import { Story } from "./Story.ts"

const repetitions: Readonly<Record<number, number>> = { 1: 100, 100: 100, 1000: 20 }
const patienceMs = 20_000
/** Beside the streams that are revoked, while loaded: new streams a second from each client, 32 KiB there and back. */
const loadRate = 50

interface Measured { readonly seen: ReadonlyArray<number>; readonly told: ReadonlyArray<number>; readonly foreignLoad: ReadonlyArray<number> }

const measure = async (story: Story, address: string, streams: number): Promise<Measured> => {
  const clients = story.clients
  const share = (index: number) => Math.floor(streams / clients.length) + (index < streams % clients.length ? 1 : 0)
  using stack = new DisposableStack()
  const holders = clients.flatMap((client, index) => share(index) === 0 ? [] : [stack.use(Client.inSandbox(story, client, ["hold", "-addr", `${address}:8080`, "-streams", String(share(index))]))])
  const all = () => Promise.all(holders.map((holder) => holder.next()))
  const seen: Array<number> = [], told: Array<number> = []
  const load = new ForeignLoad(patienceMs)
  await load.quiet()
  for (let i = 0; i < repetitions[streams]!; i++) {
    const rule = await story.allow("any")
    await story.applied(rule.change.version)
    await all() // open
    const asked = Date.now()
    const { change } = await story.revoke(rule.value.id)
    const ended = await all()
    seen.push(Math.max(...ended.map(({ last }) => last!)) - asked)
    const { closed } = await story.api<Receipt>("GET", `networks/bench/receipts/${change.version}?timeoutMs=10000`)
    // More when a client tried again where the source's host had not heard of it yet.
    if (closed === undefined || closed.connections < streams) throw new Error(`the receipt counts ${closed?.connections} of ${streams} connections`)
    told.push(closed.lastByteMs!)
  }
  return { seen, told, foreignLoad: load.samples }
}

export const revocation = (hosts: number) => async (found: (figure: Figure) => void): Promise<void> => {
  await using story = await Story.begin(hosts)
  const { address } = await story.api<{ readonly address: string }>("GET", "networks/bench/resolve/api")
  for (const condition of ["idle", "loaded"] as const) {
    using load = new DisposableStack()
    if (condition === "loaded") {
      const lasting = await story.publishAnother()
      for (const client of story.clients) load.use(Client.inSandbox(story, client, ["load", "-addr", lasting, "-rate", String(loadRate)]))
    }
    for (const streams of [1, 100, 1000]) {
      const { foreignLoad, seen, told } = await measure(story, address, streams)
      const figure = (what: string, samples: ReadonlyArray<number>, at: number, aim?: Aim): void =>
        found({
          row: "revocation", what: `${what}, ${streams} open, ${hosts} hosts, ${condition}, ${at === 0.5 ? "median" : "p99"}`, unit: "ms", at,
          ours: { name: product, samples }, references: [], foreignLoad, ...(aim === undefined ? {} : { aim })
        })
      figure("request -> last stream broken (client)", seen, 0.5)
      figure("request -> last stream broken (client)", seen, 0.99, ...(streams === 100 ? [below(100)] : []))
      figure("commit -> last byte (receipt)", told, 0.5)
      figure("commit -> last byte (receipt)", told, 0.99)
    }
  }
}
