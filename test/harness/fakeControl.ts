/**
 * A control plane for the CLI's tests: the real HTTP contract with handlers that keep everything in memory. It decides just
 * enough to be talked to; what agents have applied, and whether one is reachable, are knobs of the test.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { createServer } from "node:http"
import type { Agent, Token } from "../../src/domain/Agent.ts"
import { type CheckResult, type DiagnosticRun, firstTrouble } from "../../src/domain/Diagnostic.ts"
import type { NetworkMetrics } from "../../src/domain/AliasMetrics.ts"
import { type CutFlows, noneCut } from "../../src/domain/CutFlows.ts"
import type { FlowList } from "../../src/domain/Flow.ts"
import { AgentId, makeId, SandboxId, TokenId } from "../../src/domain/Ids.ts"
import type { Alias, Attachment, Network, Rule } from "../../src/domain/Network.ts"
import type { Limit } from "../../src/domain/Limit.ts"
import type { Publisher } from "../../src/domain/Publication.ts"
import type { PolicyReplay } from "../../src/domain/PolicyReplay.ts"
import * as Problem from "../../src/domain/Problems.ts"
import type { Receipt } from "../../src/domain/Receipt.ts"
import type { Sandbox } from "../../src/domain/Sandbox.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import { uncut } from "./sampleFlows.ts"
import { Authorization, Principal } from "../../src/protocol/http/Authorization.ts"
import { debug } from "./fakeDebug.ts"
import { limits } from "./fakeLimits.ts"
import { publishers } from "./fakePublishers.ts"
import { localNodes } from "./fakeLocalNodes.ts"
import { networks } from "./fakeNetworks.ts"
import { policy } from "./fakePolicy.ts"
import { FakeSight } from "./fakeSight.ts"

export interface World {
  readonly network: Network
  readonly attachments: Array<Attachment>
  readonly aliases: Array<Alias>
  readonly rules: Array<Rule>
}

/** What a test sets, and what it may look at. */
export class FakeControl {
  readonly token = "s3cret"
  readonly networks = new Map<string, World>()
  readonly sandboxes: Array<Sandbox> = []
  readonly agents: Array<Agent> = []
  readonly tokens: Array<Token> = []
  /** Agents that take part in every network, and those of them that never apply anything. */
  participants = 0
  pending: Receipt["pending"] = []
  /** Receipts cannot be read: the database went away after the change. */
  receiptsFail = false
  flows: FlowList = { flows: [], refusals: [], cut: uncut, agents: [] }
  /** What a diff tells of open streams where a rule is taken out. */
  cut: CutFlows = noneCut
  replay: Omit<PolicyReplay, "network" | "version"> = {
    since: 0, wouldRefuse: [], wouldAllow: [], judged: { flows: 0, refusals: 0 }, unjudged: { flows: 0, refusals: 0 }, oldestAt: null, left: { flows: 0, refusals: 0 }, agents: []
  }
  metrics: NetworkMetrics = { aliases: [], agents: [] }
  readonly limits: Array<Limit> = []
  readonly publishers: Array<Publisher> = []
  readonly flowQueries: Array<Readonly<Record<string, unknown>>> = []
  verdict: NonNullable<DiagnosticRun["verdict"]> = "reachable"
  readonly runs = new Map<string, DiagnosticRun>()
  /** Agents that answer the checks of a test; without them a run goes on. */
  checksAnswered = true
  /** The actors of the control plane itself, and of each agent that can be asked. */
  readonly sight = new FakeSight()
  readonly agentSights = new Map<string, FakeSight>()
  /** Every call that reached a handler, like `networks.create`. */
  readonly calls: Array<string> = []

  world(name: string): Effect.Effect<World, Problem.NetworkNotFound> {
    const found = this.networks.get(name) ?? [...this.networks.values()].find((w) => w.network.id === name)
    return found === undefined
      ? Effect.fail(new Problem.NetworkNotFound({ detail: `There is no network "${name}".`, hint: "gstacks network list" }))
      : Effect.succeed(found)
  }

  /** Each look finds one result more. */
  testRun(id: string): Effect.Effect<DiagnosticRun, Problem.RunNotFound> {
    return Effect.suspend(() => {
      const run = this.runs.get(id)
      this.calls.push("networks.testRun")
      if (run === undefined) return new Problem.RunNotFound({ detail: `There is no run "${id}".`, hint: "gstacks network tests list dev" })
      if (run.state !== "running") return Effect.succeed(run)
      if (!this.checksAnswered) return Effect.never
      const isDenied = this.verdict === "denied"
      const results: ReadonlyArray<CheckResult> = [
        { check: "mesh", outcome: "pass", agent: null, reason: "joined", next: null, micros: 10 },
        {
          check: "policy", outcome: isDenied ? "fail" : "pass", agent: null, reason: isDenied ? "no rule" : "a rule allows it", next: isDenied ? "gstacks network policy allow" : null, micros: 5,
          evidence: { version: "v7" }
        }
      ]
      const checks = results.slice(0, run.checks.length + 1)
      const isOver = checks.length === results.length
      const next: DiagnosticRun = { ...run, checks, trouble: firstTrouble(checks), ...(isOver ? { state: "done", verdict: this.verdict, elapsedMs: 12 } : {}) }
      this.runs.set(id, next)
      return Effect.succeed(next)
    })
  }

  sandbox(ref: string): Effect.Effect<Sandbox, Problem.SandboxNotFound> {
    const found = this.sandboxes.find((s) => s.name === ref || s.id === ref)
    return found === undefined
      ? Effect.fail(new Problem.SandboxNotFound({ detail: `There is no sandbox "${ref}".`, hint: "gstacks sandbox list" }))
      : Effect.succeed(found)
  }

  alias(world: World, name: string): Effect.Effect<Alias, Problem.AliasNotFound> {
    const found = world.aliases.find((a) => a.name === name)
    return found === undefined
      ? Effect.fail(new Problem.AliasNotFound({ detail: `Network "${world.network.name}" has no alias "${name}".`, hint: `gstacks network alias list ${world.network.name}` }))
      : Effect.succeed(found)
  }

  agent(ref: string): Effect.Effect<Agent, Problem.AgentNotFound> {
    const found = this.agents.find((a) => a.name === ref || a.id === ref)
    return found === undefined ? Effect.fail(new Problem.AgentNotFound({ detail: `There is no agent "${ref}".`, hint: "gstacks agent list" })) : Effect.succeed(found)
  }

  /** Of an agent, or without one the control plane's own. */
  sightOf(ref: string | undefined): Effect.Effect<FakeSight, Problem.AgentNotFound | Problem.AgentUnavailable> {
    if (ref === undefined) return Effect.succeed(this.sight)
    return Effect.flatMap(this.agent(ref), ({ name }) => {
      const sight = this.agentSights.get(name)
      return sight === undefined
        ? Effect.fail(new Problem.AgentUnavailable({ detail: `Agent "${name}" is not connected.`, hint: `gstacks agent show ${name}` }))
        : Effect.succeed(sight)
    })
  }

  /** The next version of the network, with its counts. */
  change(world: World) {
    const { attachments, aliases, rules } = world
    const network = { ...world.network, version: world.network.version + 1, attachments: attachments.length, aliases: aliases.length, rules: rules.length }
    this.networks.set(network.name, { ...world, network })
    return { networkId: network.id, network: network.name, version: network.version }
  }
}

export const now = () => new Date().toISOString()
export const remove = <A>(from: Array<A>, item: A) => from.splice(from.indexOf(item), 1)

const sandboxes = (fake: FakeControl) =>
  HttpApiBuilder.group(Api, "sandboxes", (handlers) =>
    Effect.succeed(handlers.handleAll({
      list: () => Effect.succeed(fake.sandboxes),
      run: Effect.fn(function*({ payload: { name, agent, labels, spec } }) {
        if (fake.sandboxes.some((s) => s.name === name)) return yield* new Problem.SandboxExists({ detail: `A sandbox "${name}" is alive.`, hint: `gstacks sandbox remove ${name}` })
        const host = agent === undefined ? fake.agents[0] : yield* fake.agent(agent)
        if (host === undefined) return yield* new Problem.AgentUnavailable({ detail: "No agent is online.", hint: "gstacks agent list" })
        const box: Sandbox = { id: yield* makeId(SandboxId, "sbx"), name, agentId: host.id, agent: host.name, labels, spec, state: "running", exitCode: null, reason: null, networks: [], createdAt: now() }
        fake.sandboxes.push(box)
        return box
      }),
      show: ({ params }) => fake.sandbox(params.sandbox),
      logs: ({ params }) => Effect.as(fake.sandbox(params.sandbox), { text: "hello from the log\n", truncated: true }),
      stop: ({ params }) => Effect.map(fake.sandbox(params.sandbox), (box) => ({ ...box, state: "stopped" as const, exitCode: 143 })),
      remove: Effect.fn(function*({ params }) {
        fake.calls.push("sandboxes.remove")
        const value = yield* fake.sandbox(params.sandbox)
        remove(fake.sandboxes, value)
        return { value, changes: [...fake.networks.values()].map((world) => fake.change(world)) }
      })
    })))

const agents = (fake: FakeControl) =>
  HttpApiBuilder.group(Api, "agents", (handlers) =>
    Effect.succeed(handlers.handleAll({
      list: () => Effect.succeed(fake.agents),
      show: ({ params }) => fake.agent(params.agent),
      remove: Effect.fn(function*({ params }) {
        fake.calls.push("agents.remove")
        const agent = yield* fake.agent(params.agent)
        if (fake.sandboxes.some((s) => s.agent === agent.name)) return yield* new Problem.AgentInUse({ detail: `Agent "${agent.name}" hosts sandboxes.`, hint: "gstacks sandbox list" })
        remove(fake.agents, agent)
        return agent
      })
    })))

const tokens = (fake: FakeControl) =>
  HttpApiBuilder.group(Api, "tokens", (handlers) =>
    Effect.succeed(handlers.handleAll({
      list: () => Effect.succeed(fake.tokens),
      create: Effect.fn(function*({ payload: { kind, name, ttlSeconds } }) {
        const expiresAt = ttlSeconds === undefined ? null : new Date(Date.now() + ttlSeconds * 1000).toISOString()
        const token: Token = { id: yield* makeId(TokenId, "tok"), kind, name, createdAt: now(), expiresAt, usedAt: null, usedBy: null }
        fake.tokens.push(token)
        return { token, secret: "gse_secret" }
      }),
      revoke: Effect.fn(function*({ params }) {
        const token = fake.tokens.find((t) => t.id === params.token)
        if (token === undefined) return yield* new Problem.TokenNotFound({ detail: `There is no token "${params.token}".`, hint: "gstacks agent token list" })
        remove(fake.tokens, token)
        return token
      }),
      whoami: () => Effect.map(Principal, ({ name }) => ({ name }))
    })))

const enrolment = HttpApiBuilder.group(Api, "enrolment", (handlers) =>
  Effect.succeed(handlers.handleAll({ enrol: () => new Problem.EnrolmentRefused({ detail: "This fake enrols nobody.", hint: "" }) })))

const metrics = HttpApiBuilder.group(Api, "metrics", (handlers) => Effect.succeed(handlers.handleAll({ all: () => Effect.succeed("# EOF\n") })))

const authorization = (fake: FakeControl) =>
  Layer.succeed(Authorization, Authorization.of({
    bearer: Effect.fn(function*(app, { credential }) {
      if (Redacted.value(credential) !== fake.token) return yield* new Problem.Unauthorized({ detail: "The token is not known.", hint: "gstacks login" })
      return yield* Effect.provideService(app, Principal, { name: "admin" })
    })
  }))

/** An agent as the API shows it. */
export const fakeAgent = (name: string, localSocket: string, online = true): Effect.Effect<Agent> =>
  Effect.map(makeId(AgentId, "agt"), (id) => ({
    id, name: name as Agent["name"], online, lastSeenAt: now(), sandboxes: 0, networks: [], enrolledAt: now(),
    host: { version: "0.1.0", meshdVersion: "0.1.0", transport: "tun", localSocket, startedAt: now() }
  }))

/** Serves `fake` until the scope closes: at a Unix socket when `path` is given, else on a free port; answers with its URL. */
export const serveFakeControl = (fake: FakeControl, path?: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const routes = HttpApiBuilder.layer(Api).pipe(
      Layer.provide([networks(fake), sandboxes(fake), agents(fake), tokens(fake), enrolment, metrics, limits(fake), publishers(fake), localNodes, policy(fake), debug(fake)]),
      Layer.provide(authorization(fake)),
      Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
    )
    const context = yield* Layer.build(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, path === undefined ? { port: 0, host: "127.0.0.1" } : { path }))
    )).pipe(Effect.orDie)
    const { address } = Context.get(context, HttpServer.HttpServer)
    return address._tag === "UnixPathAddress" ? `unix:${address.path}` : `http://127.0.0.1:${address.port}`
  })
