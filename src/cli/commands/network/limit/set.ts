/** `gstacks network limit set dev --alias api --max-streams 100 --max-rate 50/s` */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { showChange } from "../../../Changes.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { maxRateFlag, maxStreamsFlag, network } from "../../../words.ts"
import { nameOf, on, onFlags, termsText } from "./on.ts"

export const set = Command.make("set", {
  network, ...onFlags, maxStreams: maxStreamsFlag.pipe(Flag.optional), maxRate: maxRateFlag.pipe(Flag.optional)
}, Effect.fn(function*({ network, maxRate, maxStreams, ...holder }) {
  const api = yield* ControlApi
  const payload = {
    ...yield* on(holder), ...Option.match(maxStreams, { onNone: () => ({}), onSome: (maxStreams) => ({ maxStreams }) }),
    ...Option.match(maxRate, { onNone: () => ({}), onSome: (maxPerSecond) => ({ maxPerSecond }) })
  }
  const { value, change } = yield* api.call((client) => client.limits.set({ params: { network }, payload }))
  yield* showChange({ value, changes: [change], name: nameOf(value), said: `${nameOf(value)} in ${change.network}: at most ${termsText(value)}` })
})).pipe(
  Command.withDescription("Limit streams at a time, new streams a second, or both; a stream too many is reset, open ones stay"),
  Command.withExamples([
    { command: "gstacks network limit set dev --alias api --max-streams 100 --max-rate 50/s" }, { command: "gstacks network limit set dev --source sandbox:web --max-streams 20" }
  ])
)
