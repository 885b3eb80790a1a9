/**
 * A network's flows, refusals and figures, asked of the agents that take part in it at the moment of the question, all at once. Nothing is kept
 * here. An agent that is away, or does not answer within its time, is named; the others' answers are given all the same.
 */
import { Context, Effect, Layer, Semaphore } from "effect"
import { type NetworkMetrics, together } from "../domain/AliasMetrics.ts"
import { openMetrics } from "../domain/AliasMetrics/openMetrics.ts"
import type { AgentName } from "../domain/DnsLabel.ts"
import { type FlowAnswer, type FlowList, type FlowQuery, isAskedFor, mostFlows } from "../domain/Flow.ts"
import { believed, believedGroups, believedMetrics, Owners as Owned } from "../domain/Flow/believed.ts"
import { bothEnds, type FlowTotals, type GroupAnswer, type GroupQuery, mostFrequent, mostGroups } from "../domain/Flow/groups.ts"
import { mergeRefusals, newest } from "../domain/Flow/together.ts"
import type { AgentId, NetworkId } from "../domain/Ids.ts"
import { Lookups } from "./Lookups.ts"
import { Networks } from "./Networks.ts"
import { Owners } from "./Owners.ts"
import { type Participant, Participants } from "./Participants.ts"
import { Refusals } from "./Refusals.ts"
import { Sessions } from "./Sessions.ts"
import { stored } from "./Store.ts"

export type Asked = Partial<Pick<FlowQuery, "withinMs" | "limit" | "denied" | "apart"> & { readonly source: string; readonly alias: string; readonly port: number }>

const answerWithin = "5 seconds"
/** Whatever they keep is read for it. */
const groupsWithin = "20 seconds"
/** Of streams, and of refusals, in one answer. */
const mostGroupsTogether = 20_000
const questionsAtOnce = 16
const usual = { withinMs: 3_600_000, limit: 100, denied: false, source: null, alias: null, port: null }

const make = Effect.gen(function*() {
  const lookups = yield* Lookups
  const networks = yield* Networks
  const owners = yield* Owners
  const participants = yield* Participants
  const refusals = yield* Refusals
  const sessions = yield* Sessions
  const inTurn = (yield* Semaphore.make(questionsAtOnce)).withPermit

  const ask = (query: FlowQuery, { agent, agentId }: Participant) => sessions.call({ id: agentId, name: agent }, answerWithin, (client) => client.Flows(query)).pipe(
    Effect.match({
      onSuccess: (answer) => ({ agent, agentId, problem: null, answer: newestOf(query, answer) }),
      onFailure: ({ detail }) => ({ agent, agentId, problem: detail, answer: nothing })
    }))

  const notTheirs = (agent: AgentName, count: number) => refusals.note(agent, "record",
    `Agent "${agent}" told of streams, refusals or figures that are not its own, or cannot be; they were refused. What it knows of an alias that has moved away from it is among them.`, count)

  /** What is believed of what each of them answers, or why it does not. */
  const metricsOf = Effect.fnUntraced(function*(agents: ReadonlyArray<{ readonly id: AgentId; readonly name: AgentName }>, networkId: NetworkId | null) {
    const answers = yield* inTurn(Effect.forEach(agents, (agent) => sessions.call(agent, answerWithin, (client) => client.AliasMetrics({ networkId })).pipe(Effect.match({
      onSuccess: (aliases) => ({ agent, problem: null, aliases }),
      onFailure: ({ detail }) => ({ agent, problem: detail, aliases: [] })
    })), { concurrency: "unbounded" }))
    const parts = new Set((yield* owners.parts).map((part) => `${part.agentId} ${part.networkId}`))
    const aliases = new Map((yield* owners.aliases(networkId)).map((alias) => [alias.id, alias]))
    const limited = answers.flatMap((answer) => answer.aliases.flatMap((alias) => Object.keys(alias.limited ?? {})))
    const sandboxes = yield* owners.sandboxes([], limited.map(nameIn))
    return yield* Effect.forEach(answers, Effect.fnUntraced(function*({ agent, problem, aliases: told }) {
      const { metrics, refused } = believedMetrics(told, agent.id, { sandboxes, aliases, takesPart: (network) => parts.has(`${agent.id} ${network}`) })
      yield* notTheirs(agent.name, refused)
      return { agent: agent.name, problem, aliases: metrics }
    }))
  })

  const list = Effect.fn("NetworkFlows.list")(function*(ref: string, asked: Asked) {
    const network = yield* stored(lookups.network(ref))
    const query: FlowQuery = { ...usual, ...asked, networkId: network.id, limit: Math.min(Math.max(asked.limit ?? usual.limit, 1), mostFlows) }
    const answers = yield* inTurn(Effect.flatMap(participants.ofNetwork(network.id), (agents) =>
      Effect.forEach(agents, (agent) => ask(query, agent), { concurrency: "unbounded" })))
    const records = answers.flatMap(({ answer }) => [...answer.flows, ...answer.refusals])
    const sandboxes = yield* owners.sandboxes(
      records.flatMap((record) => record._tag === "Flow" && record.targetId !== null ? [record.sourceId, record.targetId] : [record.sourceId]),
      records.flatMap((record) => record._tag === "Flow" ? [nameIn(record.source), record.target] : [nameIn(record.source)]))
    const aliases = new Owned(yield* owners.aliases(network.id))
    const told = yield* Effect.forEach(answers, Effect.fnUntraced(function*({ agent, agentId, answer }) {
      const { answer: kept, refused } = believed(answer, agentId, sandboxes, aliases)
      yield* notTheirs(agent, refused)
      return within(query, kept)
    }))
    return {
      ...newest(told, query),
      agents: answers.map(({ agent, problem, answer: { lost } }) => ({ agent, problem, lost }))
    } satisfies FlowList
  })

  const groups = Effect.fn("NetworkFlows.groups")(function*(networkId: NetworkId, asked: Omit<GroupQuery, "networkId">) {
    const answers = yield* inTurn(Effect.flatMap(participants.ofNetwork(networkId), (agents) => Effect.forEach(agents, ({ agent, agentId }) =>
      sessions.call({ id: agentId, name: agent }, groupsWithin, (client) => client.FlowGroups({ ...asked, networkId })).pipe(Effect.match({
        onSuccess: (answer) => ({ agent, agentId, problem: null, answer: withinBounds(networkId, answer) }),
        onFailure: ({ detail }) => ({ agent, agentId, problem: detail, answer: noGroups })
      })), { concurrency: "unbounded" })))
    const all = answers.flatMap(({ answer }) => [...answer.groups, ...answer.refusals])
    const sandboxes = yield* owners.sandboxes(
      all.flatMap((record) => record._tag === "FlowGroup" && record.targetId !== null ? [record.sourceId, record.targetId] : [record.sourceId]), all.map(({ source }) => nameIn(source)))
    const aliases = new Owned(yield* owners.aliases(networkId))
    const told = yield* Effect.forEach(answers, Effect.fnUntraced(function*({ agent, agentId, answer }) {
      const { refused, ...kept } = believedGroups(answer, agentId, sandboxes, aliases)
      yield* notTheirs(agent, refused)
      return kept
    }))
    const flows = mostFrequent(bothEnds(told.flatMap((answer) => answer.groups)), mostGroupsTogether)
    const refusals = mostFrequent(mergeRefusals(told.flatMap((answer) => answer.refusals)), mostGroupsTogether)
    const leftOf = (kind: keyof GroupAnswer["left"]) => answers.reduce((sum, { answer }) => sum + answer.left[kind], 0)
    return {
      groups: flows.kept, refusals: refusals.kept, left: { flows: leftOf("flows") + flows.left, refusals: leftOf("refusals") + refusals.left },
      agents: answers.map(({ agent, problem, answer: { lost } }) => ({ agent, problem, lost }))
    } satisfies FlowTotals
  })

  return {
    list,
    /** All that the agents have recorded, or that is open, added up by who talks to whom. */
    groups,
    metrics: Effect.fn("NetworkFlows.metrics")(function*(ref: string) {
      const network = yield* stored(lookups.network(ref))
      const agents = yield* participants.ofNetwork(network.id)
      const answers = yield* metricsOf(agents.map(({ agent, agentId }) => ({ id: agentId, name: agent })), network.id)
      return { aliases: together(answers.flatMap(({ aliases }) => aliases)), agents: answers.map(({ agent, problem }) => ({ agent, problem })) } satisfies NetworkMetrics
    }),
    /** Of all networks, from every agent that is connected to this process. */
    openMetrics: Effect.gen(function*() {
      const names = new Map((yield* networks.list).map(({ id, name }) => [id, name]))
      const online = yield* sessions.online
      const answers = yield* metricsOf(online.map(({ agent, agentId }) => ({ id: agentId, name: agent })), null)
      return openMetrics(together(answers.flatMap(({ aliases }) => aliases)), names, refusals.all())
    }).pipe(Effect.withSpan("NetworkFlows.openMetrics"))
  }
})

const nothing: FlowAnswer = { flows: [], refusals: [], lost: 0 }
const noGroups: GroupAnswer = { groups: [], refusals: [], left: { flows: 0, refusals: 0 }, lost: 0 }

/** An agent may answer more than it was asked. */
const withinBounds = (networkId: NetworkId, { groups, refusals, left, lost }: GroupAnswer): GroupAnswer => {
  const flows = mostFrequent(groups.filter((group) => group.networkId === networkId), mostGroups)
  const refused = mostFrequent(refusals.filter((refusal) => refusal.networkId === networkId), mostGroups)
  return { groups: flows.kept, refusals: refused.kept, left: { flows: Math.max(0, left.flows) + flows.left, refusals: Math.max(0, left.refusals) + refused.left }, lost: Math.max(0, lost) }
}

const nameIn = (source: string): string => source.replace(/^sandbox:/, "")

/** An agent may answer more than it was asked: here of how many, */
const newestOf = (query: FlowQuery, answer: FlowAnswer): FlowAnswer => ({ ...answer, ...newest([answer], query), lost: Math.max(0, answer.lost) })
/** and here of what, by the names that the control plane knows. */
const within = (query: FlowQuery, answer: FlowAnswer): FlowAnswer => ({
  ...answer, flows: answer.flows.filter((flow) => isAskedFor(query, flow)), refusals: answer.refusals.filter((refusal) => isAskedFor(query, refusal))
})

export class NetworkFlows extends Context.Service<NetworkFlows, Effect.Success<typeof make>>()("gstacks/control/NetworkFlows") {
  static readonly layer = Layer.effect(NetworkFlows, make)
}
