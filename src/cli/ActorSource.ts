/**
 * Where the `debug` commands look: at the processes of the cluster through the control plane, or at the agents on this machine, or the
 * user's own background process, over their sockets, which also works while the control plane is down.
 */
import { Effect, type Scope as Scopes } from "effect"
import type { ActorDetail, Chart, JournalPage, ProcessActors } from "../domain/Sight.ts"
import type { JournalRequest } from "../protocol/sight/SightRpcs.ts"
import { ControlApi } from "./ControlApi.ts"
import type { Client } from "./ControlApi/client.ts"
import { type Failure, notFound } from "./Failure.ts"
import { LocalAgent } from "./LocalAgent.ts"
import { LocalDaemon } from "./LocalDaemon.ts"
import type { Looking } from "./Looking.ts"
import { note, patiently } from "./output/view.ts"

/** The user's background process among the others. */
export const localProcess = "local"

/** One process: an agent by its name, `localProcess`, or null, the control plane. */
export type ProcessName = string | null

export type Scope =
  | { readonly _tag: "Cluster" }
  | { readonly _tag: "Control" }
  | { readonly _tag: "Local" }
  | { readonly _tag: "Agent"; readonly agent: string }

export interface ActorSource {
  /** Those in scope, the control plane first; one that does not answer says why. */
  readonly processes: Effect.Effect<ReadonlyArray<ProcessActors>, Failure>
  readonly actor: (process: ProcessName, address: string) => Effect.Effect<ActorDetail, Failure>
  readonly charts: (process: ProcessName) => Effect.Effect<ReadonlyArray<Chart>, Failure>
  readonly journal: (process: ProcessName, request: JournalRequest) => Effect.Effect<JournalPage, Failure>
}

/** Longer than the control plane waits for an agent. */
const usualMs = 8_000
const usageError = 2

const throughControl = (scope: Exclude<Scope, { readonly _tag: "Local" }>) => Effect.map(ControlApi, ({ call }): ActorSource => {
  const of = (process: ProcessName) => process === null ? {} : { agent: process }
  const query = scope._tag === "Cluster" ? { scope: "cluster" as const } : scope._tag === "Control" ? {} : { agent: scope.agent }
  const ask = <A, E>(request: (client: Client) => Effect.Effect<A, E>, waitMs = 0) => call(request, { timeoutMs: usualMs + waitMs })
  return {
    processes: ask((client) => client.debug.actors({ query })),
    actor: (process, address) => ask((client) => client.debug.actor({ query: { ...of(process), address } })),
    charts: (process) => ask((client) => client.debug.charts({ query: of(process) })),
    journal: (process, request) => ask((client) => client.debug.journal({ query: { ...of(process), ...request } }), request.waitMs)
  }
})

const overSockets = (processes: Readonly<Record<string, Effect.Effect<Looking, Failure, Scopes.Scope>>>): ActorSource => {
  /** A connection each time: a process that was restarted meanwhile answers again. */
  const ask = <A>(process: ProcessName, request: (client: Looking) => Effect.Effect<A, Failure>) =>
    Effect.scoped(Effect.flatMap(processes[String(process)]!, request))
  const names = Object.keys(processes)
  const row = (agent: string) => Effect.map(ask(agent, (client) => client.actors), (actors): ProcessActors => ({ agent, problem: null, actors }))
  const orProblem = (agent: string) => Effect.catch(row(agent), ({ problem }) => Effect.succeed<ProcessActors>({ agent, problem: problem.detail, actors: [] }))
  return {
    processes: Effect.forEach(names, names.length === 1 ? row : orProblem, { concurrency: "unbounded" }),
    actor: (process, address) => ask(process, (client) => client.actor(address)),
    charts: (process) => ask(process, (client) => client.charts),
    journal: (process, request) => ask(process, (client) => client.journal(request))
  }
}

const ofAgents = (sockets: Readonly<Record<string, string>>) => Effect.map(LocalAgent, ({ at }) =>
  overSockets(Object.fromEntries(Object.entries(sockets).map(([agent, socket]) => [agent, at(socket)]))))

const ofLocal = Effect.map(LocalDaemon, ({ running }) => overSockets({
  [localProcess]: Effect.flatMap(running, (client) => client === undefined
    ? Effect.fail(notFound("no-background-process", "no background process of yours runs on this machine; it begins with the first join", "gstacks mesh join <network>"))
    : Effect.succeed(client))
}))

/** A way to look at what is in scope that has just worked, and what it showed. */
export const look = (scope: Scope) => Effect.gen(function*() {
  if (scope._tag === "Local") return yield* Effect.flatMap(ofLocal, seen)
  const { sockets } = yield* LocalAgent
  const here = scope._tag === "Control" ? {} : yield* sockets
  if (scope._tag === "Agent") {
    const socket = here[scope.agent]
    return yield* seen(yield* socket === undefined ? throughControl(scope) : ofAgents({ [scope.agent]: socket }))
  }
  return yield* Effect.catch(Effect.flatMap(throughControl(scope), seen).pipe(patiently("waiting for the control plane")), Effect.fnUntraced(function*(failure: Failure) {
    if (failure.exitCode === usageError || Object.keys(here).length === 0) return yield* failure
    yield* note(`${failure.problem.detail}; these are the agents on this machine`)
    return yield* Effect.flatMap(ofAgents(here), seen)
  }))
})

const seen = (source: ActorSource) => Effect.map(source.processes, (processes) => ({ source, processes }))
