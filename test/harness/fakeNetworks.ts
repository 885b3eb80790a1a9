/** The `networks` group of the fake control plane. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { DiagnosticRun } from "../../src/domain/Diagnostic.ts"
import { portRangeText } from "../../src/domain/DnsLabel.ts"
import { AliasId, makeId, NetworkId, RuleId, RunId } from "../../src/domain/Ids.ts"
import type { Alias, Attachment, Network, Rule } from "../../src/domain/Network.ts"
import * as Problem from "../../src/domain/Problems.ts"
import type { Explanation } from "../../src/domain/Reachability.ts"
import type { Sandbox } from "../../src/domain/Sandbox.ts"
import { VirtualAddress } from "../../src/domain/VirtualAddress.ts"
import type { Trace } from "../../src/domain/Trace.ts"
import { Api } from "../../src/protocol/http/Api.ts"
import { type FakeControl, now, remove, type World } from "./fakeControl.ts"

export const networks = (fake: FakeControl) =>
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
        ...w, limits: fake.limits, localNodes: [], publishers: fake.publishers, agents: fake.agents.map((a) => ({ agentId: a.id, agent: a.name, online: a.online, applied: w.network.version, joined: true, reason: null }))
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
        const { from, to, port, lastPort = port, forSeconds, comment = null } = payload
        if (!alias.ports.some((published) => port <= published && published <= lastPort)) {
          return yield* new Problem.PortNotPublished({ detail: `Alias "${alias.name}" does not publish port ${payload.port}.`, hint: `gstacks network alias add ${params.network} ${alias.sandbox} ${alias.name} --port ${payload.port}` })
        }
        const expiresAt = forSeconds === undefined ? null : new Date(Date.now() + forSeconds * 1000).toISOString()
        const value: Rule = { id: yield* makeId(RuleId, "rul"), from, to, port, lastPort, ports: portRangeText({ first: port, last: lastPort }), expiresAt, comment, createdAt: now(), createdBy: "admin" }
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
      explain: Effect.fn(function*({ params, query }) {
        const world = yield* fake.world(params.network)
        yield* fake.alias(world, query.alias)
        const rules = world.rules.filter((rule) => rule.from === query.source && rule.to === query.alias)
        const allowed = rules.length > 0
        return {
          network: params.network, version: world.network.version, ...query, verdict: allowed ? "allowed" : "denied", rules, sandboxes: [],
          reason: allowed ? "a rule says so" : "no rule says so", wouldAllow: allowed ? null : "gstacks network policy allow",
          lastChange: allowed ? { at: now(), by: "admin", action: "rule.allow", version: world.network.version, rule: rules[0]!, because: null } : null
        } satisfies Explanation
      }),
      reachable: Effect.fn(function*({ params, query }) {
        const { aliases, rules } = yield* fake.world(params.network)
        return rules.filter((rule) => (query.source ?? rule.from) === rule.from && (query.alias ?? rule.to) === rule.to).map((rule) => ({
          source: rule.from, sandboxId: null, agent: null, alias: rule.to, port: rule.port, hostName: `${rule.to}.${params.network}.gstacks`,
          target: aliases.find((alias) => alias.name === rule.to)!.sandbox!, rules: [rule.id]
        }))
      }),
      flows: ({ params, query }) => Effect.map(fake.world(params.network), () => {
        fake.flowQueries.push(query)
        return fake.flows
      }),
      metrics: ({ params }) => Effect.as(fake.world(params.network), fake.metrics),
      resolve: Effect.fn(function*({ params }) {
        const { hostName, address, ports, sandboxId, sandbox, agent, local } = yield* fake.alias(yield* fake.world(params.network), params.alias)
        const host = yield* fake.agent(agent!).pipe(Effect.orDie)
        return { hostName, address, ports, sandboxId, sandbox, agentId: host.id, agent, agentOnline: host.online, local }
      }),
      test: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        yield* fake.alias(world, payload.alias)
        const rules = fake.verdict === "denied" ? [] : world.rules.map((rule) => rule.id)
        const run: DiagnosticRun = {
          id: yield* makeId(RunId, "run"), network: params.network, ...payload, version: world.network.version, state: "running", verdict: null, rules, startedAt: now(), elapsedMs: null, checks: [], trouble: null
        }
        fake.runs.set(run.id, run)
        return run
      }),
      tests: () => Effect.sync(() => [...fake.runs.values()].reverse()),
      testRun: ({ params: { run: id } }) => fake.testRun(id),
      trace: Effect.fn(function*({ params, payload }) {
        const world = yield* fake.world(params.network)
        const isOpen = fake.verdict === "reachable"
        return {
          network: params.network, ...payload, version: world.network.version, at: now(), broken: isOpen ? null : "mesh", verdict: fake.verdict,
          hops: [
            { hop: "name", host: null, outcome: "pass", micros: 150, detail: "api.dev.gstacks is 127.64.1.1", next: null },
            { hop: "mesh", host: null, outcome: isOpen ? "pass" : "fail", micros: 533, detail: isOpen ? "direct" : "no answer", next: isOpen ? null : "see the mesh check" }
          ]
        } satisfies Trace
      }),
      cancelTest: ({ params: { run: id } }) => Effect.sync(() => {
        fake.calls.push("networks.cancelTest")
        const run: DiagnosticRun = { ...fake.runs.get(id)!, state: "cancelled" }
        fake.runs.set(id, run)
        return run
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
    if (taken !== undefined) return yield* new Problem.AliasTaken({ detail: `Alias "${name}" is taken by sandbox "${taken.sandbox}".`, hint: "choose another alias", sandbox: taken.sandbox! })
    const alias: Alias = {
      id: yield* makeId(AliasId, "als"), name, hostName: `${name}.${world.network.suffix}`, address: VirtualAddress.make(`127.64.1.${world.aliases.length + 1}`), ports,
      sandboxId: box.id, sandbox: box.name, agent: box.agent, local: null
    }
    world.aliases.push(alias)
    return alias
  })
