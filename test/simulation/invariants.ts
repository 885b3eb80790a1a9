/**
 * What must hold. `complaints` tells what is not yet as it ought to be once everything works again: after some time there may be none.
 * `violations` judges what was seen on the way, where nothing is ever excused.
 */
import { Context, Effect } from "effect"
import { Sessions } from "../../src/control/Sessions.ts"
import { checkNames } from "../../src/domain/Diagnostic.ts"
import { isUnknownToAgent } from "../../src/domain/Sandbox.ts"
import type { Host } from "./Host.ts"
import { type AuditRow, keyOf, Oracle, type Pair } from "./oracle.ts"
import type { Schedule } from "./schedule.ts"
import { type Permit, permitsOf, type Trace } from "./trace.ts"
import { principalOf } from "./users.ts"
import type { Acknowledged, World } from "./World.ts"

interface Ack { readonly network_id: string; readonly agent: string; readonly applied: number | null; readonly left_version: number | null }
interface SandboxRow { readonly id: string; readonly name: string; readonly agent: string; readonly run: boolean; readonly state: string; readonly reason: string | null }
interface Stored { readonly log: ReadonlyArray<AuditRow>; readonly acks: ReadonlyArray<Ack>; readonly sandboxes: ReadonlyArray<SandboxRow>; readonly versions: ReadonlyMap<string, number> }

const look = async ({ database }: World): Promise<Stored> => ({
  log: await database.read("select at, actor, action, network_id, version, detail from audit_log order by id"),
  acks: await database.read("select t.network_id, a.name as agent, t.applied, t.left_version from topology_acks t join agents a on a.id = t.agent_id order by 1, 2"),
  sandboxes: await database.read("select s.id, s.name, a.name as agent, s.run, s.state, s.reason from sandboxes s join agents a on a.id = s.agent_id order by s.id"),
  versions: new Map((await database.read<{ id: string; version: number }>("select id, version from networks")).map(({ id, version }) => [id, version]))
})

const oracleOf = ({ askedAt, controlClock }: World, { log }: Stored, schedule: Schedule): Oracle => new Oracle(log, schedule, { clock: controlClock, askedAt })

export const complaints = async (world: World, schedule: Schedule): Promise<ReadonlyArray<string>> => {
  const stored = await look(world)
  const oracle = oracleOf(world, stored, schedule)
  return [...controlPlane(world, stored, oracle), ...[...world.hosts.keys()].filter((name) => !oracle.removedAgents.has(name)).flatMap((name) => hostIs(world, name, stored, oracle))]
}

const controlPlane = (world: World, { acks, versions }: Stored, oracle: Oracle): ReadonlyArray<string> => {
  const services = world.control?.services
  if (services === undefined || !world.control!.process.isAlive) return ["the control plane is not up"]
  const sessions = Context.get(services, Sessions)
  const found: Array<string> = [...world.testing].filter(([, process]) => process === world.control!.process).map(([number]) => `${principalOf(number)}'s test has no end`)
  for (const [name, id] of world.agentIds) {
    if (sessions.isOnline(id) === oracle.removedAgents.has(name)) found.push(`${name} ${sessions.isOnline(id) ? "is connected though it was removed" : "is not connected"}`)
  }
  for (const network of oracle.networks.values()) {
    if (versions.get(network.id) !== network.version) found.push(`network ${network.name} is stored with version ${versions.get(network.id)}, the log has ${network.version}`)
    for (const rule of network.rules) if (rule.until <= world.controlClock.now) found.push(`rule ${rule.id} of ${network.name} is still there after its end`)
    const hosts = network.isDeleted ? new Set() : oracle.hostsOf(network)
    const of = new Map(acks.filter((ack) => ack.network_id === network.id).map((ack) => [ack.agent, ack]))
    for (const host of hosts) if (!of.has(host as string)) found.push(`${host} is no participant of ${network.name}`)
    for (const ack of of.values()) {
      const wanted = hosts.has(ack.agent) ? network.version : ack.left_version
      if (hosts.has(ack.agent) !== (ack.left_version === null)) found.push(`${ack.agent} counts as ${ack.left_version === null ? "present in" : "gone from"} ${network.name}`)
      if ((ack.applied ?? 0) < (wanted ?? 0)) found.push(`${ack.agent} has acknowledged ${ack.applied} of ${network.name}, not ${wanted}`)
    }
  }
  return found
}

const hostIs = (world: World, name: string, { sandboxes }: Stored, oracle: Oracle): ReadonlyArray<string> => {
  const host = world.hosts.get(name)!
  if (host.process?.isAlive !== true || host.actors === undefined) return [`the agent of ${name} is not up`]
  const mine = oracle.living.filter((network) => oracle.hostsOf(network).has(name))
  const running = new Set<string>(host.sandboxes.running)
  return [
    ...differences(`${name} has in force`, host.meshd.plan.networks.map((network) => `${network.id}@${network.topologyVersion}`), mine.map((network) => `${network.id}@${network.version}`)),
    ...differences(`${name} permits`, permitsOf(host.meshd.plan).filter((permit) => !mayHaveEnded(host, oracle.endOf(permit.network, permitKey(permit, world.trace)))).map((permit) => `${permit.isFrozen ? "frozen " : ""}${sideKey(permit.side, permit.network, permitKey(permit, world.trace))}`),
      mine.flatMap((network) => oracle.pairs(network).filter(({ until }) => until > host.clock.latest).flatMap((pair) => sidesAt(name, pair, running).map((side) => sideKey(side, network.id, keyOf(pair)))))),
    ...differences(`${name} runs`, running, sandboxes.filter((sandbox) => sandbox.agent === name && sandbox.run).map((sandbox) => sandbox.id)),
    ...sandboxes.filter((sandbox) => sandbox.agent === name && !(sandbox.run ? ["running"] : ["stopped", "failed"]).includes(sandbox.state)).map((sandbox) => `sandbox ${sandbox.name} is stored as ${sandbox.state}`),
    ...differences(`${name} knows the sandboxes`, host.disk.paths.filter((path) => path.startsWith("/state/sandboxes/")).map((path) => path.split("/")[3]!), sandboxes.filter((sandbox) => sandbox.agent === name && !isUnknownToAgent(sandbox)).map((sandbox) => sandbox.id)),
    ...differences(`${name} has joined`, host.meshd.nodes.keys(), mine.map((network) => network.id)),
    ...differences(`${name} keeps the files`, host.disk.paths.filter((path) => /^\/state\/(topologies|mesh)\//.test(path)).map((path) => path.split("/")[3]!.replace(/\.json.*$/, "")), mine.map((network) => network.id)),
    ...actorsAt(world, name, oracle)
  ]
}

/** A permit that was over by a host's clock may be in force or not when that has been set back: it depends on whether meshd had noticed. */
const mayHaveEnded = ({ clock }: Host, until: number): boolean => clock.now < until && until <= clock.latest

/** The machines that there are, and that they are at rest where they ought to be. */
const actorsAt = (world: World, name: string, oracle: Oracle): ReadonlyArray<string> => {
  const tree = Effect.runSync(world.hosts.get(name)!.actors!.tree)
  const aliases = oracle.living.filter((network) => oracle.hostsOf(network).has(name)).flatMap((network) => {
    const published = network.aliases.filter((alias) => oracle.boxes.get(alias.box)!.host === name).flatMap((alias) => [...alias.ports].map((port) => `${alias.name}:${port}`))
    const reached = oracle.pairs(network).filter((pair) => pair.sourceHost === name && world.hosts.get(name)!.sandboxes.running.some((id) => id === pair.source)).map((pair) => `${pair.alias}:${pair.port}`)
    return [...new Set([...published, ...reached])].map((alias) => `${network.id}/${alias}`)
  })
  const listeners = tree.filter((actor) => actor.machine === "aliasListener").map((actor) => {
    const [, , network, , alias] = actor.address.split("/")
    const [id, port] = alias!.split(":")
    return `${network}/${world.trace.aliasNames.get(id!)}:${port}`
  })
  const joins = tree.filter((actor) => actor.machine === "networkJoin")
  return [
    ...differences(`${name} has the listeners`, listeners, aliases),
    ...differences(`${name} has the networks`, joins.map((actor) => actor.address.split("/")[2]!), oracle.living.filter((network) => oracle.hostsOf(network).has(name)).map((network) => network.id)),
    ...tree.filter((actor) => atRest[actor.machine]?.test(actor.state) === false).map((actor) => `${actor.address} is ${actor.state}`)
  ]
}

const atRest: Readonly<Record<string, RegExp>> = {
  agentLink: /^session\.online$/, dataPlane: /^session\.ready$/, topology: /^applied$/, networkJoin: /joined$/, aliasListener: /^(listening|planned)$/
}

export const violations = async (world: World, schedule: Schedule): Promise<ReadonlyArray<string>> => {
  const stored = await look(world), { log } = stored
  const oracle = oracleOf(world, stored, schedule)
  const removedAt = new Map(log.filter((row) => row.action === "agent.remove").map((row) => [String(row.detail.name), world.controlClock.whenLast(row.at.getTime())]))
  return [...oracle.objections, ...lostAnswers(world.acknowledged, log), ...onTheWay(world, oracle), ...testsTell(world, oracle), ...staleCredentials(world, removedAt)]
}

/** What goes with what a change was about. */
const along = new Set(["rule.end", "alias.end"])

/** What a user was told is in the log, once, and whatever else its version did was done by the same user. */
const lostAnswers = (answered: ReadonlyArray<Acknowledged>, log: ReadonlyArray<AuditRow>): ReadonlyArray<string> => answered.flatMap(({ principal, change }) => {
  const rows = log.filter((row) => row.network_id === change.networkId && row.version === change.version)
  return rows.filter(({ action }) => !along.has(action)).length === 1 && rows.every(({ actor }) => actor === principal) ? [] : [`${principal} was told of version ${change.version} of ${change.network}, and the log has ${rows.map((row) => row.actor).join(" and ") || "nothing"}`]
})

/** All checks one after the other, each as long as it may take, and what it takes to store the run; a run that crashes starts anew. */
const testMs = 60_000, testsInCrash = 3

/** A test ends in time, says something of each check, and its verdict is by the version that it names. */
const testsTell = ({ tested }: World, oracle: Oracle): ReadonlyArray<string> => tested.flatMap(({ number, run, tookMs }) => {
  const who = `${principalOf(number)}'s test of ${run.network}@${run.version}`
  if (run.state === "cancelled") return [] // its actor's supervisor gave up
  const missing = checkNames.filter((name) => !run.checks.some((result) => result.check === name))
  const isAllowed = oracle.isAllowed(run)
  return [
    ...tookMs > testMs * testsInCrash ? [`${who} took ${tookMs} ms`] : [],
    ...missing.length > 0 ? [`${who} says nothing of ${missing.join(", ")}`] : [],
    ...isAllowed !== undefined && isAllowed === (run.verdict === "denied") ? [`${who} says ${run.verdict} of ${run.source}, which is ${isAllowed ? "" : "not "}allowed`] : []
  ]
})

/** How long a connection may take to be let in that asked before the agent was removed. */
const credentialGraceMs = 1000

const staleCredentials = (world: World, removedAt: ReadonlyMap<string, number>): ReadonlyArray<string> => world.letIn.flatMap(({ at, host }) => {
  const removed = removedAt.get(host)
  return removed !== undefined && at > removed + credentialGraceMs ? [`${host} was let in ${at - removed} ms after it had been removed`] : []
})

/** What was acknowledged of a network. It may be gone once the agent has started without its file, which went because there was no room for the next version. */
interface Promised { readonly network: string; readonly version: number; readonly mayBeGone: boolean }

/** No permit without a version that allows it; nothing that was acknowledged is taken back, over restarts neither. */
const onTheWay = (world: World, oracle: Oracle): ReadonlyArray<string> => {
  const found: Array<string> = []
  const promised = new Map<string, Map<string, Promised>>()
  const gone = new Set<string>(), unwritten = new Set<string>()
  const inForce = new Map<string, ReadonlyMap<string, number>>()
  for (const seen of world.trace.seen) {
    const mine = promised.get(seen.host) ?? new Map<string, Promised>()
    promised.set(seen.host, mine)
    const complain = (text: string) => found.push(`at ${((seen.at - world.time.startedAt) / 1000).toFixed(3)} ${seen.host} ${text}`)
    switch (seen.event) {
      case "acknowledged":
        // Nothing in force at all: meshd has ended since.
        if (inForce.get(seen.host)!.size > 0 && (inForce.get(seen.host)!.get(seen.network) ?? 0) < seen.version) complain(`acknowledges version ${seen.version} of network ${seen.network}, which is not in force`)
        mine.set(seen.network, { network: seen.network, version: Math.max(seen.version, mine.get(seen.network)?.version ?? 0), mayBeGone: false })
        break
      case "dropped": mine.delete(seen.network); break
      case "notWritten": unwritten.add(`${seen.host} ${seen.network}`); break
      case "kept": unwritten.delete(`${seen.host} ${seen.network}`); break
      case "started":
        for (const one of mine.values()) if (unwritten.has(`${seen.host} ${one.network}`)) mine.set(one.network, { ...one, mayBeGone: true })
        break
      case "meshdGone": gone.add(seen.host); break
      case "inForce": {
        inForce.set(seen.host, seen.networks)
        for (const permit of seen.permits) {
          const version = seen.networks.get(permit.network), key = permitKey(permit, world.trace)
          if (version === undefined) complain(`permits ${key} of a network that it does not know`)
          else {
            const until = oracle.allowed(permit.network, version)?.get(key)
            if (until === undefined) complain(`permits ${key}, which version ${version} does not allow`)
            else if (until !== permit.until) complain(`permits ${key} until ${permit.until}, and version ${version} does until ${until}`)
          }
        }
        if (gone.delete(seen.host)) break
        for (const { network, version, mayBeGone } of mine.values()) {
          const now = seen.networks.get(network)
          if (now === undefined ? !mayBeGone : now < version) complain(`has ${now === undefined ? "forgotten" : `version ${now} of`} network ${network}, of which it had acknowledged ${version}`)
        }
      }
    }
  }
  return found
}

const permitKey = ({ source, alias, port }: Permit, trace: Trace): string => keyOf({ source, alias: trace.aliasNames.get(alias) ?? alias, port })
const sideKey = (side: Permit["side"], network: string, key: string): string => `${side} ${network} ${key}`

const sidesAt = (host: string, { source, sourceHost, targetHost }: Pair, running: ReadonlySet<string>): ReadonlyArray<Permit["side"]> => {
  if (sourceHost === host) return running.has(source) ? ["outbound"] : []
  return targetHost === host ? ["inbound"] : []
}

const differences = (what: string, is: Iterable<string>, ought: Iterable<string>): ReadonlyArray<string> => {
  const left = [...is].sort(), right = [...new Set(ought)].sort()
  const more = [...new Set(left)].filter((item) => !right.includes(item)), less = right.filter((item) => !left.includes(item))
  return [
    ...more.map((item) => `${what} ${item}, and ought not`),
    ...less.map((item) => `${what} not ${item}, and ought to`)
  ]
}
