import { assert, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { type PromiseActorLogic, setup } from "xstate"
import { ActorSystem } from "../../../src/actors/runtime/ActorSystem.ts"
import * as Bridge from "../../../src/actors/runtime/bridge.ts"
import { machineChild } from "../../../src/actors/runtime/ChildSpec.ts"
import { Inspector } from "../../../src/actors/runtime/Inspector.ts"
import * as Supervisor from "../../../src/actors/runtime/Supervisor.ts"
import { stateEntries } from "../../harness/stateEntries.ts"

const machine = setup({ actors: { dial: {} as PromiseActorLogic<Result.Result<void, never>, void> } }).createMachine({
  id: "dialler",
  initial: "deciding",
  states: {
    deciding: { always: "calling" },
    calling: { initial: "dialling", states: { dialling: { invoke: { src: "dial", onDone: "#dialler.judging" } } } },
    judging: { always: "ready" },
    ready: { type: "parallel", states: { talk: {}, listen: {} } }
  }
})

it.effect("an inspector is shown each state before its Effects start, also one that is left at once", () => {
  const seen: Array<string> = []
  const inspect = stateEntries((address, machine, state) => seen.push(`${address} ${machine}.${state}`))
  return Effect.gen(function*() {
    const bridge = yield* Bridge.make<never>()
    const logic = machine.provide({ actors: { dial: bridge.fromEffect(() => Effect.sync(() => { seen.push("dials") })) } })
    yield* Supervisor.start({
      address: "house", strategy: "oneForOne", intensity: { restarts: 1, withinMs: 1000 }, children: [machineChild({ id: "phone", logic, restart: "permanent", shutdownMs: 1000 })]
    })
    yield* ActorSystem.use((actors) => actors.waitFor("house/phone", "ready"))
    assert.deepStrictEqual(seen, [
      "house/phone dialler.deciding", "house/phone dialler.calling.dialling", "dials",
      "house/phone dialler.judging", "house/phone dialler.ready.talk", "house/phone dialler.ready.listen"
    ])
  }).pipe(Effect.scoped, Effect.provide(Layer.provide(ActorSystem.layer, Layer.succeed(Inspector, inspect))))
})
