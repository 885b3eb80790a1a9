/** Runs checks of `network test` as an actor of the network, so that a run can be watched; always answers, within a bound that fits the control plane's. */
import { Context, Effect, Layer, Schema } from "effect"
import { agentDiagnosticMachine, type DiagnosticRequest } from "../actors/machines/agentDiagnostic.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { type CheckName, CheckResult } from "../domain/Diagnostic.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { DataPlane } from "./dataplane/DataPlane.ts"
import { checks, type Finding } from "./diagnostics/checks.ts"
import { Knowledge } from "./Knowledge.ts"

export class Diagnostics extends Context.Service<Diagnostics, {
  readonly run: (check: CheckName, request: DiagnosticRequest) => Effect.Effect<CheckResult>
}>()("gstacks/agent/Diagnostics") {
  static readonly layer = Layer.effect(Diagnostics, Effect.suspend(() => make()))
}

const within = 2500
const Results = Schema.Tuple([CheckResult])

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const knowledge = yield* Knowledge
  const { name } = yield* Config
  const bridge = yield* Bridge.make<DataPlane | Knowledge>()
  let lastRun = 0

  const answer = (check: CheckName, finding: Finding): CheckResult => ({ check, agent: name, micros: null, ...finding })
  const late: Finding = { outcome: "fail", reason: `no result within ${within / 1000} s`, next: "see the agent's log, and try again" }

  const find = (check: CheckName, request: DiagnosticRequest): Effect.Effect<Finding, never, DataPlane | Knowledge> => Effect.suspend(() => {
    const topology = knowledge.topologies.get(request.networkId)
    const alias = topology?.aliases.find((candidate) => candidate.name === request.alias)
    if (topology === undefined || alias === undefined) {
      const reason = topology === undefined ? "this agent has no topology of the network yet" : `version ${topology.version}, which is here, has no alias ${request.alias}`
      return Effect.succeed({ outcome: "fail", reason, next: "try again in a second; see gstacks agent list for whether it is online" })
    }
    return checks[check](request, topology, alias)
  })

  const machine = agentDiagnosticMachine.provide({ actors: {
    check: bridge.fromEffect(({ check, request }: { readonly check: CheckName; readonly request: DiagnosticRequest }) =>
      find(check, request).pipe(Effect.timeoutOrElse({ duration: within, orElse: () => Effect.succeed(late) }), Effect.map((finding) => answer(check, finding))))
  } })

  const run = (check: CheckName, request: DiagnosticRequest) => Effect.gen(function*() {
    const supervisor = yield* actors.supervisor(Address.network(request.networkId))
    const id = `diagnostic/${++lastRun}`
    yield* Effect.acquireRelease(
      supervisor.startChild(machineChild({ id, logic: machine, input: { request, checks: [check] }, restart: "transient", shutdownMs: 500, showOutput: true })),
      () => supervisor.stopChild(id))
    const ended = yield* actors.waitFor(`${Address.network(request.networkId)}/${id}`, "done")
    const [result] = yield* Schema.decodeUnknownEffect(Results)(ended.output)
    return result
  }).pipe(Effect.scoped, Effect.catch(() => Effect.provideContext(Effect.map(find(check, request), (finding) => answer(check, finding)), context)))
  const context = yield* Effect.context<DataPlane | Knowledge>()

  return Diagnostics.of({ run })
})
