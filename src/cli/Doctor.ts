/** What `gstacks doctor` looks at: each finding says what was seen and, unless it is well, what to do. */
import { Clock, Effect } from "effect"
import { stat } from "node:fs/promises"
import type { Contact } from "../domain/Contact.ts"
import * as Contexts from "./Contexts.ts"
import { ControlApi } from "./ControlApi.ts"
import { LocalAgent } from "./LocalAgent.ts"
import { describeContact } from "./output/contact.ts"
import { Shell } from "./Shell.ts"
import { settings } from "./settings.ts"

export interface Finding {
  readonly check: string
  readonly result: "ok" | "warn" | "fail"
  readonly detail: string
  readonly next: string | null
}

const ok = (check: string, detail: string): Finding => ({ check, result: "ok", detail, next: null })
const warn = (check: string, detail: string, next: string): Finding => ({ check, result: "warn", detail, next })
const fail = (check: string, detail: string, next: string): Finding => ({ check, result: "fail", detail, next })

const node = Effect.sync(() =>
  Number(process.versions.node.split(".")[0]) >= 24
    ? ok("node", `Node ${process.versions.node}`)
    : warn("node", `Node ${process.versions.node}; gstacks is made for 24`, "start it by bin/gstacks, which brings its own"))

const config = Effect.gen(function*() {
  const file = yield* Contexts.path
  const info = yield* Effect.promise(() => stat(file).catch(() => undefined))
  if (info === undefined) return ok("configuration", `${file} does not exist yet`)
  return (info.mode & 0o077) === 0
    ? ok("configuration", file)
    : warn("configuration", `${file} holds tokens and others can read it`, `chmod 600 ${file}`)
})

const controlPlane = Effect.gen(function*() {
  const { call, target } = yield* ControlApi
  const { url, context } = yield* target
  const { name } = yield* call((client) => client.tokens.whoami())
  return ok("control plane", `${url} answers; you are ${name}${context === null ? "" : ` (context ${context})`}`)
}).pipe(Effect.catchTag("Failure", ({ problem }) => Effect.succeed(fail("control plane", problem.detail, problem.hint))))

const agents = Effect.gen(function*() {
  const { call } = yield* ControlApi
  const all = yield* call((client) => client.agents.list())
  if (all.length === 0) return [warn("agents", "there are none", "gstacks agent token create")]
  return all.map((agent) =>
    agent.online
      ? ok(`agent ${agent.name}`, `online${agent.host === null ? "" : `, version ${agent.host.version}, transport ${agent.host.transport}`}`)
      : fail(`agent ${agent.name}`, `offline${agent.lastSeenAt === null ? "" : ` since ${agent.lastSeenAt}`}`, `on ${agent.name}: systemctl status gstacks-agent`))
}).pipe(Effect.catchTag("Failure", () => Effect.succeed<ReadonlyArray<Finding>>([])))

/** Of what the agent was told. */
const ageOf = (check: string, contact: Contact, now: number, next: string): Finding => {
  const detail = describeContact(contact, now)
  return contact.inTouch ? ok(check, detail) : contact.frozen ? fail(check, detail, next) : warn(check, detail, next)
}

const inspect = (name: string, socket: string) =>
  Effect.gen(function*() {
    const { at } = yield* LocalAgent
    const { contact, link, dataPlane, dns, networks } = yield* Effect.scoped(Effect.flatMap(at(socket), (client) => client.status))
    const part = (what: string, state: string, well: string, error: string | null, next: string): Finding =>
      state.startsWith(well) ? ok(`${name}: ${what}`, state) : fail(`${name}: ${what}`, `${state}${error === null ? "" : `: ${error}`}`, next)
    const now = yield* Clock.currentTimeMillis
    return [
      part("link", link.state, "online", link.lastError, `check that ${link.controlUrl} can be reached from ${name}`),
      ...contact === undefined ? [] : [ageOf(`${name}: age`, contact, now, `restore its way to ${link.controlUrl}; the limit is GLOBALSTACKS_TOPOLOGY_MAX_AGE`)],
      part("data plane", dataPlane.state, "ready", dataPlane.lastError, `on ${name}: systemctl status gstacks-meshd`),
      part("DNS", dns.state, "serving", null, `see what else listens at ${dns.address}: GLOBALSTACKS_AGENT_MESH_DNS_ADDR`),
      ...networks.map((network) => ok(`${name}: network ${network.name}`, `topology v${network.version} ${network.state}, mesh ${network.join}, ${network.peersReady}/${network.peers} peers ready`))
    ]
  }).pipe(Effect.catchTag("Failure", ({ problem }) => Effect.succeed([fail(`${name}: socket`, problem.detail, problem.hint)])))

const localAgents = Effect.gen(function*() {
  const known = yield* (yield* LocalAgent).sockets
  return (yield* Effect.forEach(Object.entries(known), ([name, socket]) => inspect(name, socket), { concurrency: 4 })).flat()
}).pipe(Effect.catchTag("Failure", ({ problem }) => Effect.succeed([fail("local agent", problem.detail, problem.hint)])))

/** A misspelt setting is silent everywhere else. */
const unknownSettings = Effect.map(Shell, ({ env }) =>
  Object.keys(env).filter((name) => /^(GLOBALSTACKS|GSTACKS)_/.test(name) && settings[name] === undefined).sort().map((name) =>
    warn(name, "is set, but no part of gstacks reads it", "check the spelling against the settings below")))

export const examine = Effect.gen(function*() {
  const findings = yield* Effect.all([
    Effect.map(node, (f) => [f]), Effect.map(config, (f) => [f]), Effect.map(controlPlane, (f) => [f]), agents, localAgents, unknownSettings
  ], { concurrency: "unbounded" })
  return findings.flat()
})
