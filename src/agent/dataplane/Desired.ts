/** Where meshd listens, and what it is to do now: of an agent, what follows from what it knows. */
import { Context, Effect, Layer } from "effect"
import type { Plan } from "../../protocol/meshd/Messages.ts"
import { Config } from "../Config.ts"
import { Knowledge } from "../Knowledge.ts"

export class Desired extends Context.Service<Desired, { readonly meshdSocket: string; readonly plan: () => Plan }>()("gstacks/agent/Desired") {
  static readonly layer = Layer.effect(Desired, Effect.gen(function*() {
    const { meshdSocket } = yield* Config
    const knowledge = yield* Knowledge
    return Desired.of({ meshdSocket, plan: () => knowledge.plan() })
  }))
}
