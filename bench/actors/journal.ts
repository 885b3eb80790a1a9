/** What the journal costs when nobody looks: the same events in one system, its journal switched on and off in turns. Listeners stay awake, so that little else hides it. */
import { Effect } from "effect"
import { Journal } from "../../src/actors/runtime/Journal.ts"
import { atMost, below, product, type Figure } from "../figures.ts"
import { processorTime } from "./measures.ts"
import { populate } from "./Population.ts"
import { shareOf } from "./profile.ts"

const listeners = 500
const warmUps = 20
const samplesPerRound = 8
/** Each sample is the sum of many short turns, so that drift and the garbage collector fall on both alike. */
const turns = 24
/** Two from outside, and the result of what it invoked. */
const eventsPerSample = 3 * listeners * turns
const entries = 200_000

export const journal = (rounds: number, found: (figure: Figure) => void) => Effect.scoped(Effect.gen(function*() {
  const journal = { isOn: true }
  const { add, cycle } = yield* populate({ journal, hibernates: false })
  yield* Effect.repeat(add, { times: listeners - 1 })
  yield* Effect.repeat(cycle, { times: warmUps })
  const turn = (isOn: boolean) => {
    journal.isOn = isOn
    return processorTime(cycle)
  }
  const ours: Array<number> = []
  const without: Array<number> = []
  for (let sample = 0; sample < rounds * samplesPerRound; sample++) {
    let [on, off] = [0, 0]
    for (let pair = 0; pair < turns; pair++) {
      if (pair % 2 === 0) on += yield* turn(true)
      off += yield* turn(false)
      if (pair % 2 === 1) on += yield* turn(true)
    }
    ours.push(on * 1000 / eventsPerSample)
    without.push(off * 1000 / eventsPerSample)
  }
  found({
    row: "actors", what: "processor time per event, with a full journal that nobody reads", unit: "us", ours: { name: product, samples: ours },
    rival: { name: "journal off", samples: without }, references: [], aim: atMost(1.05), foreignLoad: []
  })
  journal.isOn = true
  const profiled = Effect.map(shareOf("noteEvent", Effect.repeat(cycle, { times: turns - 1 })), (share) => share * 100)
  const shares = yield* Effect.forEach(Array.from({ length: rounds * samplesPerRound }), () => profiled)
  found({ row: "actors", what: "of it in the journal's own code, by sampling", unit: "%", ours: { name: product, samples: shares }, references: [], aim: below(5), foreignLoad: [] })
}))

/** By itself: what the difference of two systems is too noisy to tell. */
export const entry = (rounds: number, found: (figure: Figure) => void) => Effect.gen(function*() {
  const full = new Journal(4 * 1024 * 1024)
  const addresses = Array.from({ length: listeners }, (_, i) => `agent/networks/net_01j00000000000000n/alias/als_01j000000${String(i).padStart(9, "0")}:8080`)
  const append = Effect.sync(() => {
    for (let i = 0; i < entries; i++) full.append(Date.now(), addresses[i % listeners]!, "event", `xstate.done.actor.${i % 7}.aliasListener.opening`, "opening", "listening", null)
  })
  yield* append
  const samples = yield* Effect.forEach(Array.from({ length: rounds * samplesPerRound }), () => Effect.map(processorTime(append), (ms) => ms * 1e6 / entries))
  found({ row: "actors", what: "one entry of a full journal, processor time", unit: "ns", ours: { name: product, samples }, references: [], foreignLoad: [] })
})
