/**
 * `network test`: asks the agents that take part, check by check, and gives a verdict. The policy is evaluated here, on the
 * stored topology, and by each agent on the one it has applied; the verdict follows the stored one. An agent that does not
 * answer within three seconds is a failed check, never a hung run.
 */
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import { diagnosticRunMachine } from "../actors/machines/diagnosticRun.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { CheckResult, type CheckName, type DiagnosticRun } from "../domain/Diagnostic.ts"
import { makeId, RunId } from "../domain/Ids.ts"
import { diagnosticsAddress } from "./actorAddresses.ts"
import { notPublished } from "./Aliases.ts"
import { type Participant, planOf, type TestPlan, verdictOf } from "./Diagnostics/plan.ts"
import { Lookups } from "./Lookups.ts"
import { Rules } from "./Rules.ts"
import { Sessions } from "./Sessions.ts"
import { stored } from "./Store.ts"
import { Topologies } from "./Topologies.ts"

const Results = Schema.Array(CheckResult)

const make = Effect.gen(function*() {
  const actors = yield* ActorSystem
  const lookups = yield* Lookups
  const rules = yield* Rules
  const topologies = yield* Topologies
  const sessions = yield* Sessions
  const plans = new Map<string, TestPlan>()

  const ask = (plan: TestPlan, check: CheckName, { agent, role, source }: Participant) => sessions.call(agent, "3 seconds", (client) =>
    client.RunCheck({ check, role, source, networkId: plan.topology.networkId, version: plan.topology.version, alias: plan.alias.name, port: plan.port })
  ).pipe(Effect.catch((problem) => Effect.succeed<CheckResult>({
    check, outcome: "fail", agent: agent.name, reason: problem.detail, next: problem.hint, micros: null
  })))

  const check = ({ run, check: name }: { readonly run: string; readonly check: CheckName }): Effect.Effect<ReadonlyArray<CheckResult>> => Effect.suspend(() => {
    const plan = plans.get(run)!
    const asked = plan.participants.filter((participant) => participant.checks.includes(name))
    return Effect.map(Effect.forEach(asked, (participant) => ask(plan, name, participant), { concurrency: "unbounded" }), (answers) => [
      ...plan.known.filter((result) => result.check === name), ...answers
    ])
  })
  const bridge = yield* Bridge.make<never>()
  const machine = diagnosticRunMachine.provide({ actors: { check: bridge.fromEffect(check) } })

  /** Runs the checks as an actor that can be watched, and collects what it found. */
  const execute = (id: RunId, plan: TestPlan) => Effect.gen(function*() {
    const supervisor = yield* actors.supervisor(diagnosticsAddress)
    const child = `diagnosticRun/${id}`
    yield* Effect.acquireRelease(Effect.sync(() => plans.set(id, plan)), () => Effect.sync(() => plans.delete(id)))
    yield* Effect.acquireRelease(
      supervisor.startChild(machineChild({ id: child, logic: machine, input: { run: id }, restart: "transient", shutdownMs: 1000, redact: ["results"] })),
      () => supervisor.stopChild(child)
    )
    const ended = yield* actors.waitFor(`${diagnosticsAddress}/${child}`, "done")
    return yield* Schema.decodeUnknownEffect(Results)(ended.context["results"])
  }).pipe(Effect.scoped, Effect.orDie)

  return {
    test: Effect.fn("Diagnostics.test")(function*(ref: string, request: { readonly source: string; readonly alias: string; readonly port: number }) {
      const started = yield* Clock.currentTimeMillis
      const network = yield* stored(lookups.network(ref))
      const source = yield* rules.bind(network, request.source)
      const topology = yield* topologies.load(network.id)
      if (Option.isNone(topology)) return yield* stored(lookups.noNetwork(ref))
      const alias = topology.value.aliases.find((candidate) => candidate.name === request.alias)
      if (alias === undefined) return yield* stored(lookups.noAlias(network, request.alias))
      if (!alias.ports.some((port) => port === request.port)) return yield* notPublished(network, alias, request.port)

      const plan = planOf(topology.value, source, request.source, alias, request.port)
      const id = yield* makeId(RunId, "run")
      const checks = yield* execute(id, plan)
      return {
        id, network: network.name, source: request.source, alias: alias.name, port: request.port, checks,
        verdict: verdictOf(plan, checks), rules: plan.rules,
        startedAt: new Date(started).toISOString(), elapsedMs: (yield* Clock.currentTimeMillis) - started
      } satisfies DiagnosticRun
    })
  }
})

export class Diagnostics extends Context.Service<Diagnostics, Effect.Success<typeof make>>()("gstacks/control/Diagnostics") {
  static readonly layer = Layer.effect(Diagnostics, make)
}
