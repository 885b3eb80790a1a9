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
import type { DiagnosticRun } from "../../src/domain/Diagnostic.ts"
import { AgentId, AliasId, makeId, NetworkId, RuleId, RunId, SandboxId, TokenId } from "../../src/domain/Ids.ts"
import type { Alias, Attachment, Network, Rule } from "../../src/domain/Network.ts"
import * as Problem from "../../src/domain/Problems.ts"
import type { Receipt } from "../../src/domain/Receipt.ts"
import type { Sandbox } from "../../src/domain/Sandbox.ts"
import { VirtualAddress } from "../../src/domain/VirtualAddress.ts"
import { Api, Authorization, Principal } from "../../src/protocol/http/Api.ts"

interface World {
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
  verdict: DiagnosticRun["verdict"] = "reachable"
  /** Every call that reached a handler, like `networks.create`. */
  readonly calls: Array<string> = []

  world(name: string): Effect.Effect<World, Problem.NetworkNotFound> {
    const found = this.networks.get(name) ?? [...this.networks.values()].find((w) => w.network.id === name)
    return found === undefined
      ? Effect.fail(new Problem.NetworkNotFound({ detail: `There is no network "${name}".`, hint: "gstacks network list" }))
      : Effect.succeed(found)
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

  /** The next version of the network, with its counts. */
  change(world: World) {
    const { attachments, aliases, rules } = world
    const network = { ...world.network, version: world.network.version + 1, attachments: attachments.length, aliases: aliases.length, rules: rules.length }
    this.networks.set(network.name, { ...world, network })
    return { networkId: network.id, network: network.name, version: network.version }
  }
}

const now = () => new Date().toISOString()
const remove = <A>(from: Array<A>, item: A) => from.splice(from.indexOf(item), 1)

const networks = (fake: FakeControl) =>
  HttpApiBuilder.group(Api, "networks", (handlers) =>
    Effect.succeed(handlers.handleAll({
      list: () => Effect.succeed([...fake.networks.values()].map((w) => w.network)),
      create: Effect.fn(function*({ payload: { name, mode } }) {
        fake.calls.push("networks.create")
        if (mode === "routed_mesh") return yield* new Problem.ModeNotSupported({ detail: "routed_mesh is not supported yet.", hint: "leave --mode out" })
        if (fake.networks.has(name)) return yield* new Problem.NetworkExists({ detail: `There is a network "${name}".`, hint: `gstacks network show ${name}` })
        const network: Network = { id: yield* makeId(NetworkId, "net"), name, suffix: `${name}.gstacks`, mode: "agent_proxy", version: 0, attachments: 0, aliases: 0, rules: 0, createdAt: now() }
        const change = fake.change({ network, attachments: [], aliases: [], rules: [] })
        return { value: fake.networks.get(name)!.network, change }
      }),
      show: ({ params }) => Effect.map(fake.world(params.network), (w) => ({
        ...w, agents: fake.agents.map((a) => ({ agentId: a.id, agent: a.name, online: a.online, applied: w.network.version, joined: true, reason: null }))
      })),
      remove: Effect.fn(function*({ params, query }) {
        fake.calls.push("networks.remove")
        const world = yield* fake.world(params.network)
        if (world.attachments.length > 0 && query.cascade !== "true") {
          return yield* new Problem.NetworkNotEmpty({ detail: `Network "${params.network}" has ${world.attachments.length} attachments.`, hint: `gstacks network delete ${params.network} --cascade` })
        }
        const change = fake.change(world)
        fake.networks.delete(params.network)
        return { value: world.network, change }
      }),
      attach: Effect.fn(function*({ params, payload: { sandbox, alias, ports } }) {
        fake.calls.push("networks.attach")
        const world = yield* fake.world(params.network)
        const box = yield* fake.sandbox(sandbox)
        if (alias === "local" || alias === "any") return yield* new Problem.ReservedAlias({ detail: `"${alias}" is a word of the selectors.`, hint: "choose another alias" })
        if (alias !== undefined) yield* publish(fake, world, box, alias, ports)
        const value: Attachment = { sandboxId: box.id, sandbox: box.name, agent: box.agent, aliases: alias === undefined ? [] : [alias], attachedAt: now() }
        world.attachments.push(value)
        return { value, change: fake.change(world) }
      }),
      detach: Effect.fn(function*({ params }) {
        fake.calls.push("networks.detach")
        const world = yield* fake.world(params.network)
        const box = yield* fake.sandbox(params.sandbox)
        const value = world.attachments.find((a) => a.sandboxId === box.id)
        if (value === undefined) return yield* new Problem.NotAttached({ detail: `Sandbox "${box.name}" is not attached to "${params.network}".`, hint: `gstacks network attach ${params.network} ${box.name}` })
        remove(world.attachments, value)
        return { value, change: fake.change(world) }
      }),
      aliases: ({ params }) => Effect.map(fake.world(params.network), (w) => w.aliases),
      addAlias: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        const value = yield* publish(fake, world, yield* fake.sandbox(payload.sandbox), payload.alias, payload.ports)
        return { value, change: fake.change(world) }
      }),
      removeAlias: Effect.fn(function*({ params, query }) {
        const world = yield* fake.world(params.network)
        const value = yield* fake.alias(world, params.alias)
        if (query.port !== undefined && !value.ports.includes(query.port)) {
          return yield* new Problem.PortNotPublished({ detail: `Alias "${value.name}" does not publish port ${query.port}.`, hint: `gstacks network alias list ${params.network}` })
        }
        if (query.port === undefined) remove(world.aliases, value)
        return { value, change: fake.change(world) }
      }),
      moveAlias: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        const alias = yield* fake.alias(world, params.alias)
        const box = yield* fake.sandbox(payload.sandbox)
        return { value: { ...alias, sandbox: box.name, sandboxId: box.id, agent: box.agent }, change: fake.change(world) }
      }),
      rules: ({ params }) => Effect.map(fake.world(params.network), (w) => w.rules),
      allow: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        const alias = yield* fake.alias(world, payload.to)
        if (!alias.ports.includes(payload.port)) {
          return yield* new Problem.PortNotPublished({ detail: `Alias "${alias.name}" does not publish port ${payload.port}.`, hint: `gstacks network alias add ${params.network} ${alias.sandbox} ${alias.name} --port ${payload.port}` })
        }
        const value: Rule = { id: yield* makeId(RuleId, "rul"), ...payload, createdAt: now(), createdBy: "admin" }
        world.rules.push(value)
        return { value, change: fake.change(world) }
      }),
      revoke: Effect.fn(function*({ params }) {
        const world = yield* fake.world(params.network)
        const value = world.rules.find((r) => r.id === params.rule)
        if (value === undefined) return yield* new Problem.RuleNotFound({ detail: `There is no rule "${params.rule}".`, hint: `gstacks network policy list ${params.network}` })
        remove(world.rules, value)
        return { value, change: fake.change(world) }
      }),
      resolve: Effect.fn(function*({ params }) {
        const { hostName, address, ports, sandboxId, sandbox, agent } = yield* fake.alias(yield* fake.world(params.network), params.alias)
        const host = yield* fake.agent(agent).pipe(Effect.orDie)
        return { hostName, address, ports, sandboxId, sandbox, agentId: host.id, agent, agentOnline: host.online }
      }),
      test: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        yield* fake.alias(world, payload.alias)
        const denied = fake.verdict === "denied"
        return {
          id: yield* makeId(RunId, "run"), network: params.network, ...payload, verdict: fake.verdict, rules: denied ? [] : world.rules.map((r) => r.id), startedAt: now(), elapsedMs: 12,
          checks: [
            { check: "mesh", outcome: "pass", agent: null, reason: "joined", next: null, micros: 10 },
            { check: "policy", outcome: denied ? "fail" : "pass", agent: null, reason: denied ? "no rule" : "a rule allows it", next: denied ? "gstacks network policy allow" : null, micros: 5 }
          ]
        } satisfies DiagnosticRun
      }),
      receipt: Effect.fn(function*({ params }) {
        fake.calls.push("networks.receipt")
        if (fake.receiptsFail) return yield* new Problem.StoreUnavailable({ detail: "The database does not answer.", hint: "gstacks doctor" })
        const { network } = yield* fake.world(params.network)
        return { networkId: network.id, network: network.name, version: params.version, applied: fake.participants - fake.pending.length, participants: fake.participants, elapsedMs: fake.pending.length > 0 ? null : 41.2, pending: fake.pending }
      })
    })))

const publish = (fake: FakeControl, world: World, box: Sandbox, name: Alias["name"], ports: Alias["ports"]) =>
  Effect.gen(function*() {
    const taken = world.aliases.find((a) => a.name === name && a.sandboxId !== box.id)
    if (taken !== undefined) return yield* new Problem.AliasTaken({ detail: `Alias "${name}" is taken by sandbox "${taken.sandbox}".`, hint: "choose another alias", sandbox: taken.sandbox })
    const alias: Alias = {
      id: yield* makeId(AliasId, "als"), name, hostName: `${name}.${world.network.suffix}`, address: VirtualAddress.make(`127.64.1.${world.aliases.length + 1}`), ports,
      sandboxId: box.id, sandbox: box.name, agent: box.agent
    }
    world.aliases.push(alias)
    return alias
  })

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
      Layer.provide([networks(fake), sandboxes(fake), agents(fake), tokens(fake), enrolment]),
      Layer.provide(authorization(fake)),
      Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
    )
    const context = yield* Layer.build(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, path === undefined ? { port: 0, host: "127.0.0.1" } : { path }))
    )).pipe(Effect.orDie)
    const { address } = Context.get(context, HttpServer.HttpServer)
    return address._tag === "UnixPathAddress" ? `unix:${address.path}` : `http://127.0.0.1:${address.port}`
  })
