/** Runs checks of `network test` as an actor of the network, so that a run can be watched; always answers, within a bound that fits the control plane's. */
import { Context, Effect, Layer, Schema } from "effect"
import { agentDiagnosticMachine, type DiagnosticRequest } from "../actors/machines/agentDiagnostic.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { type CheckName, CheckResult } from "../domain/Diagnostic.ts"
import type { SandboxId } from "../domain/Ids.ts"
import type { Topology, TopologyAlias } from "../domain/Topology.ts"
import type { Hop } from "../domain/Trace.ts"
import * as Address from "./addresses.ts"
import { Config } from "./Config.ts"
import { bounded, checks } from "./diagnostics/checks.ts"
import { type CheckServices, fail, type Finding } from "./diagnostics/Finding.ts"
import { HostSigns } from "./diagnostics/HostSigns.ts"
import { trace } from "./diagnostics/trace.ts"
import { Knowledge } from "./Knowledge.ts"

export class Diagnostics extends Context.Service<Diagnostics, {
  readonly run: (check: CheckName, request: DiagnosticRequest) => Effect.Effect<CheckResult>
  readonly trace: (request: DiagnosticRequest, source: SandboxId, firstByteMs: number) => Effect.Effect<ReadonlyArray<Hop>>
}>()("gstacks/agent/Diagnostics") {
  /** Over what shows the host; the simulation has hosts of its own. */
  static readonly layerWith = (signs: typeof HostSigns.layer) => Layer.effect(Diagnostics, Effect.suspend(() => make())).pipe(Layer.provide(signs))
  static readonly layer = Diagnostics.layerWith(HostSigns.layer)
}

const Results = Schema.Tuple([CheckResult])

const make = Effect.fnUntraced(function*() {
  const actors = yield* ActorSystem
  const knowledge = yield* Knowledge
  const { name } = yield* Config
  const bridge = yield* Bridge.make<CheckServices>()
  let lastRun = 0

  const answer = (check: CheckName, finding: Finding): CheckResult => ({ check, agent: name, micros: null, ...finding })

  /** What a request is about, as far as this agent knows it. */
  const locate = (request: DiagnosticRequest): Effect.Effect<{ readonly topology: Topology; readonly alias: TopologyAlias }, Finding> => Effect.suspend(() => {
    const topology = knowledge.topologies.get(request.networkId)
    const alias = topology?.aliases.find((candidate) => candidate.name === request.alias)
    if (topology !== undefined && alias !== undefined) return Effect.succeed({ topology, alias })
    const reason = topology === undefined ? "this agent has no topology of the network yet" : `version ${topology.version}, which is here, has no alias ${request.alias}`
    return Effect.fail(fail(reason, "try again in a second; see gstacks agent list for whether it is online"))
  })

  const find = (check: CheckName, request: DiagnosticRequest): Effect.Effect<Finding, never, CheckServices> =>
    Effect.matchEffect(locate(request), { onFailure: Effect.succeed, onSuccess: ({ topology, alias }) => checks[check](request, topology, alias) })

  const machine = agentDiagnosticMachine.provide({ actors: {
    check: bridge.fromEffect(({ check, request }: { readonly check: CheckName; readonly request: DiagnosticRequest }) =>
      Effect.map(bounded(check, find(check, request)), (finding) => answer(check, finding)))
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

  const traceFrom = (request: DiagnosticRequest, source: SandboxId, firstByteMs: number) => Effect.matchEffect(locate(request), {
    onFailure: ({ reason, next }) => Effect.succeed<ReadonlyArray<Hop>>([{ hop: "source", host: name, outcome: "fail", micros: null, detail: reason, next }]),
    onSuccess: ({ topology, alias }) => Effect.provideContext(trace(name, request, { sandbox: source }, topology, alias, firstByteMs), context)
  })
  const context = yield* Effect.context<CheckServices>()

  return Diagnostics.of({ run, trace: traceFrom })
})
