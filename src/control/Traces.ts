/** `network trace`: asks the source's agent, or the developer's machine that is the source, to go the way of a stream, and adds the verdict of the stored policy. Of a selector for many, one sandbox goes. */
import { Clock, Context, Effect, Layer, Option, Semaphore } from "effect"
import { AgentName } from "../domain/DnsLabel.ts"
import { brokenHop, type Hop, type Trace } from "../domain/Trace.ts"
import { asker, lookerOf } from "./Diagnostics/machines.ts"
import { planner, type TestRequest } from "./Diagnostics/planner.ts"
import { tooMany } from "./Diagnostics/Runs.ts"
import { wakeAgent } from "./Diagnostics/signs.ts"
import { Sessions } from "./Sessions.ts"

/** Longer than the agent itself takes at most. */
const answerWithinMs = 12_000
/** How long an app may take to speak first. */
const firstByteMs = 300
const mostDetail = 4_096
export const mostTraces = 32

const make = Effect.gen(function*() {
  const planFor = yield* planner
  const sessions = yield* Sessions
  const askMachine = yield* asker
  const ifThereIsRoom = (yield* Semaphore.make(mostTraces)).withPermitsIfAvailable(1)

  const trace = Effect.fnUntraced(function*(ref: string, request: TestRequest) {
    const now = yield* Clock.currentTimeMillis
    const { network, plan } = yield* planFor(ref, request, now)
    const from = plan.participants.find((participant) => participant.role === "source")
    const [machine] = plan.machines.slice(-1)
    const hops: ReadonlyArray<Hop> = machine !== undefined ? yield* askMachine(plan.topology, machine, { _tag: "Trace", alias: plan.alias.name, port: plan.port, version: plan.topology.version, firstByteMs }, answerWithinMs).pipe(
      Effect.map((answer) => answer.hops.map(clipped)),
      Effect.catch(({ reason, next }) => Effect.succeed([{ hop: "source", host: lookerOf(machine), outcome: "fail", micros: null, detail: reason, next } as const]))
    ) : from?.source == null ? [nobody] : yield* sessions.call(from.agent, answerWithinMs, (client) => client.Trace({
      networkId: network.id, version: plan.topology.version, source: from.source!, alias: plan.alias.name, port: plan.port, firstByteMs
    })).pipe(
      Effect.map((answer) => answer.map(clipped)),
      Effect.catch(({ detail }) => Effect.succeed([{ hop: "source", host: AgentName.make(from.agent.name), outcome: "fail", micros: null, detail, next: wakeAgent(from.agent) } as const]))
    )
    const broken = brokenHop(hops)
    return {
      network: network.name, source: request.source, alias: plan.alias.name, port: plan.port, version: plan.topology.version, at: new Date(now).toISOString(), hops, broken,
      verdict: !plan.allowed ? "denied" : broken === null ? "reachable" : "unreachable"
    } satisfies Trace
  })

  return {
    trace: Effect.fn("Traces.trace")(function*(ref: string, request: TestRequest) {
      return Option.getOrUndefined(yield* ifThereIsRoom(trace(ref, request))) ?? (yield* tooMany("traces", mostTraces))
    })
  }
})

const nobody: Hop = {
  hop: "source", host: null, outcome: "skip", micros: null, next: "attach a sandbox (gstacks network attach <network> <sandbox>), or join from a developer's machine (gstacks mesh join <network>)",
  detail: "the source stands for no attached sandbox and no joined machine; the verdict is the policy's"
}

const clipped = (hop: Hop): Hop => ({ ...hop, detail: hop.detail.slice(0, mostDetail) })

export class Traces extends Context.Service<Traces, Effect.Success<typeof make>>()("gstacks/control/Traces") {
  static readonly layer = Layer.effect(Traces, make)
}
