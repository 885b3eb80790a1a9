/**
 * `network test`: asks the agents that take part, check by check, and gives a verdict. The policy is evaluated here, on the
 * stored topology, and by each agent on the one it has applied; the verdict follows the stored one. An agent that does not
 * answer in time is a failed check, never a hung run, and is not asked again in that run.
 */
import { Clock, Context, Effect, Exit, FiberMap, Layer, Option, SubscriptionRef } from "effect"
import { diagnosticRunMachine } from "../actors/machines/diagnosticRun.ts"
import { ActorSystem } from "../actors/runtime/ActorSystem.ts"
import * as Bridge from "../actors/runtime/bridge.ts"
import { machineChild } from "../actors/runtime/ChildSpec.ts"
import { type CheckName, type CheckResult, type DiagnosticRun, firstTrouble, type Looker } from "../domain/Diagnostic.ts"
import { type AgentId, type LocalNodeId, makeId, type NetworkId, RunId } from "../domain/Ids.ts"
import type { TopologyLocalNode } from "../domain/Topology.ts"
import { diagnosticsAddress, meshAddress } from "./actorAddresses.ts"
import { refusalOf, refused } from "./Diagnostics/answers.ts"
import { asker, lookerOf } from "./Diagnostics/machines.ts"
import { type Participant, type TestPlan, verdictOf } from "./Diagnostics/plan.ts"
import { planner, type TestRequest } from "./Diagnostics/planner.ts"
import { news, Runs } from "./Diagnostics/Runs.ts"
import { byItsClock, coordinatorAway, skewOf, unconfirmed, wakeAgent } from "./Diagnostics/signs.ts"
import { Lookups } from "./Lookups.ts"
import { Mesh } from "./Mesh.ts"
import { Refusals } from "./Refusals.ts"
import { Sessions } from "./Sessions.ts"
import { stored } from "./Store.ts"

/** A test, while it runs. */
interface Going { readonly plan: TestPlan; readonly run: SubscriptionRef.SubscriptionRef<DiagnosticRun>; readonly silent: Set<AgentId | LocalNodeId> }

/** Longer than the agent itself takes at most. The route waits for a program that may be slow. */
const answerWithinMs: Readonly<Record<CheckName, number>> = { mesh: 5_000, topology: 3_000, dns: 3_000, route: 12_000, policy: 3_000 }

const make = Effect.gen(function*() {
  const actors = yield* ActorSystem
  const lookups = yield* Lookups
  const planFor = yield* planner
  const refusals = yield* Refusals
  const sessions = yield* Sessions
  const runs = yield* Runs
  const mesh = yield* Mesh
  const askMachine = yield* asker
  const fibers = yield* FiberMap.make<RunId>()
  const going = new Map<string, Going>()

  const ask = ({ plan, silent }: Going, check: CheckName, { agent, role, source, user }: Participant): Effect.Effect<ReadonlyArray<CheckResult>> => Effect.suspend(() => {
    const base = { check, agent: agent.name, micros: null }
    if (silent.has(agent.id)) return Effect.succeed(notAsked(check, agent.name))
    return Effect.flatMap(Clock.currentTimeMillis, (askedAt) => sessions.call(agent, answerWithinMs[check], (client) =>
      client.RunCheck({ check, role, source, ...(user === undefined ? {} : { user }), networkId: plan.topology.networkId, version: plan.topology.version, alias: plan.alias.name, port: plan.port })
    ).pipe(
      Effect.flatMap(Effect.fnUntraced(function*({ clockMs, ...answer }) {
        const why = refusalOf({ check, agent }, answer)
        if (why === undefined) {
          const skewed = check === "policy" ? skewOf(agent, askedAt, clockMs, yield* Clock.currentTimeMillis) : undefined
          const own = { ...answer, agent: agent.name }
          if (skewed === undefined) return [own]
          return own.outcome === "fail" && plan.allowed ? [byItsClock(own, skewed)] : [own, skewed]
        }
        yield* refusals.note(agent.name, "answer", `Agent "${agent.name}" ${why}; its answer was refused.`)
        return [refused({ check, agent }, why)]
      })),
      Effect.catch((problem) => Effect.sync((): ReadonlyArray<CheckResult> => {
        silent.add(agent.id)
        return [{ ...base, outcome: "fail", reason: problem.detail, next: wakeAgent(agent) }]
      }))
    ))
  })

  const notAsked = (check: CheckName, agent: Looker): ReadonlyArray<CheckResult> => [{ check, agent, micros: null, outcome: "skip", reason: "not asked: it did not answer before", next: null }]

  const askLocal = ({ plan, silent }: Going, check: CheckName, machine: TopologyLocalNode): Effect.Effect<ReadonlyArray<CheckResult>> => Effect.suspend(() => {
    const name = lookerOf(machine)
    if (silent.has(machine.id)) return Effect.succeed(notAsked(check, name))
    const { alias, port, topology } = plan
    return askMachine(topology, machine, { _tag: "Check", check, alias: alias.name, port, version: topology.version }, answerWithinMs[check]).pipe(
      Effect.map(({ result }): ReadonlyArray<CheckResult> => {
        const why = refusalOf({ check, agent: { name } }, result)
        return [why === undefined ? { ...result, agent: name } : refused({ check, agent: { name } }, why)]
      }),
      Effect.catch((problem) => Effect.sync((): ReadonlyArray<CheckResult> => {
        silent.add(machine.id)
        return [{ check, agent: name, micros: null, outcome: "fail", ...problem }]
      })))
  })

  /** What needs no agent to be asked. */
  const noticed = ({ plan }: Going, check: CheckName): Effect.Effect<ReadonlyArray<CheckResult>> => Effect.gen(function*() {
    const known = plan.known.filter((result) => result.check === check)
    if (check === "mesh") return [...known, ...yield* coordinatorTrouble]
    if (check !== "topology") return known
    return [...known, ...plan.participants.flatMap(({ agent }) => unconfirmed(agent, sessions.trouble(agent.id, plan.topology.networkId)) ?? [])]
  })
  /** Where another process runs it, or none, there is nobody to ask. */
  const coordinatorTrouble = Effect.gen(function*() {
    const api = yield* SubscriptionRef.get(mesh.current)
    if (Option.isSome(api)) return yield* Effect.match(api.value.answers, { onSuccess: () => [], onFailure: ({ detail }) => [coordinatorAway("does not answer", detail)] })
    const ours = yield* Effect.option(actors.snapshot(`${meshAddress}/managedHeadscale`))
    if (Option.isNone(ours)) return []
    const { lastTrouble } = ours.value.context
    return [coordinatorAway("is down", typeof lastTrouble === "string" ? lastTrouble : undefined)]
  })

  const note = ({ run }: Going, results: ReadonlyArray<CheckResult>) => SubscriptionRef.update(run, (now) => {
    const checks = [...now.checks, ...results]
    return { ...now, checks, trouble: firstTrouble(checks) }
  })

  const check = ({ run: id, check: name }: { readonly run: string; readonly check: CheckName }): Effect.Effect<ReadonlyArray<CheckResult>> => Effect.suspend(() => {
    const test = going.get(id)!
    const asked = [
      ...test.plan.machines.map((machine) => askLocal(test, name, machine)),
      ...test.plan.participants.filter((participant) => participant.checks.includes(name)).map((participant) => ask(test, name, participant))
    ]
    return Effect.map(Effect.forEach([noticed(test, name), ...asked], Effect.tap((results) => note(test, results)), { concurrency: "unbounded" }), (results) => results.flat())
  })
  const bridge = yield* Bridge.make<never>()
  const machine = diagnosticRunMachine.provide({ actors: { check: bridge.fromEffect(check) } })

  /** Runs the checks as an actor that can be watched. */
  const runChecks = (id: RunId, test: Going) => Effect.gen(function*() {
    const supervisor = yield* actors.supervisor(diagnosticsAddress)
    const child = `diagnosticRun/${id}`
    yield* Effect.acquireRelease(Effect.sync(() => going.set(id, test)), () => Effect.sync(() => going.delete(id)))
    yield* Effect.acquireRelease(
      supervisor.startChild(machineChild({ id: child, logic: machine, input: { run: id }, restart: "transient", shutdownMs: 1000, redact: ["results"] })),
      () => supervisor.stopChild(child)
    )
    yield* actors.waitFor(`${diagnosticsAddress}/${child}`, "done")
  }).pipe(Effect.scoped)

  /** Until it has an end, whatever that is. */
  const execute = (networkId: NetworkId, test: Going, startedAt: number) => Effect.uninterruptibleMask(Effect.fnUntraced(function*(restore) {
    const { id } = yield* SubscriptionRef.get(test.run)
    const exit = yield* Effect.exit(restore(runChecks(id, test)))
    const elapsedMs = (yield* Clock.currentTimeMillis) - startedAt
    const over = yield* SubscriptionRef.updateAndGet(test.run, (now): DiagnosticRun => Exit.isSuccess(exit)
      ? { ...now, state: "done", verdict: verdictOf(test.plan, now.checks), elapsedMs }
      : { ...now, state: "cancelled", elapsedMs })
    yield* runs.end(networkId, over)
  }))

  return {
    test: Effect.fn("Diagnostics.test")(function*(ref: string, request: TestRequest, waitMs: number) {
      const startedAt = yield* Clock.currentTimeMillis
      const { network, plan } = yield* planFor(ref, request, startedAt)
      const id = yield* makeId(RunId, "run")
      // Begun and carried out in one step: a run that nobody carries out would never be over.
      const run = yield* Effect.uninterruptible(Effect.tap(runs.begin(network.id, {
        id, network: network.name, source: request.source, alias: plan.alias.name, port: plan.port, version: plan.topology.version, state: "running", verdict: null,
        startedAt: new Date(startedAt).toISOString(), elapsedMs: null, checks: [], trouble: null, rules: plan.rules
      }), (run) => FiberMap.run(fibers, id, execute(network.id, { plan, run, silent: new Set() }, startedAt))))
      return yield* news(run, Infinity, waitMs)
    }),

    list: Effect.fn("Diagnostics.list")(function*(ref: string) {
      return yield* runs.list(yield* stored(lookups.network(ref)))
    }),

    show: Effect.fn("Diagnostics.show")(function*(ref: string, id: string, { after, waitMs }: { readonly after?: number; readonly waitMs?: number }) {
      const network = yield* stored(lookups.network(ref))
      const run = yield* runs.find(network, id)
      return yield* after === undefined ? SubscriptionRef.get(run) : news(run, after, waitMs ?? 0)
    }),

    cancel: Effect.fn("Diagnostics.cancel")(function*(ref: string, id: string) {
      const network = yield* stored(lookups.network(ref))
      const run = yield* runs.find(network, id)
      yield* FiberMap.remove(fibers, (yield* SubscriptionRef.get(run)).id)
      return yield* SubscriptionRef.get(run)
    })
  }
})

export class Diagnostics extends Context.Service<Diagnostics, Effect.Success<typeof make>>()("gstacks/control/Diagnostics") {
  static readonly layer = Layer.effect(Diagnostics, make).pipe(Layer.provide(Runs.layer))
}
