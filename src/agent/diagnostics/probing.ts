/** Sends meshd's probe the way of a source's streams, and says of each step that fails where the trouble is and what to do. */
import { Effect } from "effect"
import type { DiagnosticRequest } from "../../actors/machines/agentDiagnostic.ts"
import { hostName } from "../../domain/DnsLabel.ts"
import type { LocalNodeId, SandboxId } from "../../domain/Ids.ts"
import type { Topology, TopologyAgent, TopologyAlias, TopologyLocalNode } from "../../domain/Topology.ts"
import type { ProbeResult, ProbeStep, ProbeStepName, Target } from "../../protocol/meshd/Messages.ts"
import { DataPlane } from "../dataplane/DataPlane.ts"
import type { MeshdFailure } from "../dataplane/MeshdClient.ts"
import { Knowledge } from "../Knowledge.ts"
import { type Evidence, fail, type Finding, lacksDescriptors, machineBehind, machineText, meshdAway, meshdTrouble, nameOf, on, outOfDescriptors, warn } from "./Finding.ts"

/** The two ends of a probe, for whoever tells of it. */
export interface Ends {
  readonly source: string
  readonly target: string
  /** The sandbox behind the alias. */
  readonly behind: string
  /** Where that is: another agent's host, or a developer's machine that publishes it. Neither: on this host. */
  readonly host: TopologyAgent | undefined
  readonly machine: TopologyLocalNode | undefined
  readonly network: Topology
  readonly port: number
  /** Of the target's host, outside the mesh, as somebody types it. */
  readonly address: string
}

/** Where a probe starts: in a sandbox, whose programs look names up, or at a developer's machine, whose forwards do not. */
export type Start = { readonly sandbox: SandboxId } | { readonly machine: LocalNodeId; readonly name: string }

export interface Probed { readonly ends: Ends; readonly result: ProbeResult }

export const probe = ({ port }: DiagnosticRequest, start: Start, network: Topology, alias: TopologyAlias, firstByteMs?: number): Effect.Effect<Probed, Finding, DataPlane | Knowledge> => Effect.gen(function*() {
  const { meshd, node } = yield* DataPlane
  const { identity } = yield* Knowledge
  const client = yield* Effect.mapError(meshd, () => meshdAway)
  const machine = machineBehind(network, alias)
  const isHere = alias.sandboxId !== undefined && alias.agentId === identity?.agentId
  const host = isHere ? undefined : network.agents.find((agent) => agent.id === alias.agentId)
  const at = machine === undefined ? host?.node : { id: machine.nodeId, address: machine.address }
  const target: Target | undefined = isHere ? { kind: "sandbox", sandbox: alias.sandboxId! } : at ? { kind: "node", node: at.id, address: at.address } : undefined
  if (target === undefined) return yield* Effect.fail(on(host, fail(`the agent that hosts ${alias.name} has not joined the mesh yet`, "try again in a few seconds; see the mesh check")))
  const result = yield* client.probe({
    network: network.networkId, alias: alias.id, port, target, ...("sandbox" in start ? { sandbox: start.sandbox, name: hostName(alias.name, network.name), address: alias.address } : { sandbox: start.machine }), ...(firstByteMs === undefined ? {} : { firstByteMs })
  }).pipe(Effect.mapError((error: MeshdFailure) => meshdTrouble(error) ?? fail(`meshd could not try: ${error.message}`, "see meshd's log (journalctl -u gstacks-meshd)")))
  const endpoint = (yield* node(network.networkId))?.peers.find((peer) => peer.nodeId === at?.id)?.endpoint ?? result.peer?.endpoint
  const behind = machine === undefined ? nameOf(network, alias.sandboxId!) : machineText(machine)
  return { result, ends: { source: "sandbox" in start ? nameOf(network, start.sandbox) : start.name, target: `${alias.name}:${port}`, behind, host, machine, network, port, address: endpoint?.replace(/:\d+$/, "") ?? "<host>" } }
})

export const stepIn = ({ steps }: ProbeResult, name: ProbeStepName): ProbeStep | undefined => steps.find((step) => step.name === name)

export const evidenceOf = ({ steps, peer, pings }: ProbeResult): Evidence => ({
  ...Object.fromEntries(steps.map(({ name, ok, micros, error }) => [name, ok ? `${micros} us` : error ?? "failed"])),
  ...(peer === undefined ? {} : { path: peer.path, ...(peer.endpoint === undefined ? {} : { endpoint: peer.endpoint }) }),
  ...(pings === undefined ? {} : { pings: `${pings.received}/${pings.sent}` })
})

/** What a step that failed means, of a probe with this result. */
export const explain = (ends: Ends, step: ProbeStep, result: ProbeResult): Finding => {
  const { source, target, behind, host, port, network, address } = ends, { name, error = "no reason given" } = step
  const there = thereOf(ends)
  const again = `run the sandbox again: gstacks sandbox run ${source} --replace -- <command>`
  const isHere = name !== "verdict" && (name !== "connect" || (host === undefined && ends.machine === undefined))
  if (isHere && lacksDescriptors.test(error)) return outOfDescriptors("this host", error)
  const ofMachine = ends.machine && explainMachine(ends, step)
  if (ofMachine !== undefined) return ofMachine
  switch (name) {
    case "resolve": return fail(`a program in ${source} cannot resolve the name of ${target}: ${error}`, `see the dns check; ${again}`)
    case "enter": return fail(`a connection from inside ${source} does not come out at meshd: ${error}`, `see the policy and topology checks; if both pass, the sandbox changed its own nft rules: ${again}`)
    case "permit": return fail(`no permit for ${source} is loaded in meshd on this host: ${error}`, "see the policy and topology checks; try again in a second")
    case "dial":
    case "roundTrip": return loss(ends, result) ?? on(host, fail(`the mesh does not carry a stream to ${there}: ${error}`, `see the mesh check of both hosts, and whether UDP passes between them; restart meshd on ${there} if it is up (systemctl restart gstacks-meshd)`))
    case "verdict": return on(host, refusal(there, error, network))
    case "connect": return on(host, lacksDescriptors.test(error) ? outOfDescriptors(there, error) : appTrouble(target, behind, port, error))
    case "firstByte": return fail(`${target} does not speak: ${error}`, `see its log: gstacks sandbox logs ${behind}`)
    case "fullSize": return loss(ends, result) ?? fail(`small packets reach ${there}, full-size ones do not (an MTU black hole): ${error}`,
      `raise the MTU of the path between the hosts to 1500, or let ICMP 'fragmentation needed' pass; compare: ping -M do -s 1400 ${address}`)
  }
}

const thereOf = ({ host, machine }: Ends): string => host?.name ?? (machine === undefined ? "this host" : machineText(machine))

/** No agent is there that could be asked, and no unit that could be restarted. Undefined: the step has nothing to do with the far end. */
const explainMachine = ({ behind, network, port, target }: Ends, { name, error = "no reason given" }: ProbeStep): Finding | undefined => {
  const look = "see it there: gstacks mesh status"
  switch (name) {
    case "dial":
    case "roundTrip": return fail(`${behind}, which publishes ${target}, is away: ${error}`, `${look}; it publishes again after gstacks mesh join ${network.name}`)
    case "verdict": return fail(`${behind} refuses it: ${error}`, `${look}; try again in a second`)
    case "connect": return fail(`nothing accepts connections on ${behind} behind ${target}: ${error}`, `start the program there; gstacks mesh status shows to which port ${port} leads`)
    case "firstByte": return fail(`${target} does not speak: ${error}`, `see what the program on ${behind} does`)
    default: return undefined
  }
}

const refusal = (there: string, error: string, network: Topology): Finding => {
  if (error.startsWith("behind")) return fail(`${there} has not applied topology version ${network.version} yet: ${error}`, `see its topology check; gstacks agent show ${there}`)
  if (error.startsWith("limit")) return outOfDescriptors(there, error)
  return fail(`meshd on ${there} refuses it: ${error}`, `see the policy and topology checks of ${there}; try again in a second`)
}

/** Nothing was sent to the app: it either took the connection or did not. */
export const appTrouble = (target: string, behind: string, port: number, error: string): Finding => {
  const log = `gstacks sandbox logs ${behind}`
  if (/timeout|deadline/i.test(error)) return fail(`the program behind ${target} does not accept connections in time: ${error}`, `its queue is full or it hangs; see what it does: ${log}`)
  if (/\bis (gone|failed|stopped)\b|(unknown|no such) sandbox/i.test(error)) return fail(`sandbox ${behind}, behind ${target}, does not run: ${error}`, `see how it ended: gstacks sandbox show ${behind}`)
  return fail(`nothing accepts connections on port ${port} in sandbox ${behind}, behind ${target}: ${error}`, `start the program, listening on 127.0.0.1:${port} or 0.0.0.0:${port}; its log: ${log}`)
}

const lossFrom = 0.9

/** Of small packets; large ones, which need several, suffer more from it. */
const loss = (ends: Ends, { pings }: ProbeResult): Finding | undefined => pings === undefined || pings.received >= pings.sent * lossFrom ? undefined
  : on(ends.host, warn(`${pings.sent - pings.received} of ${pings.sent} packets to or from ${thereOf(ends)} are lost`, `look for an overloaded or broken link between the hosts: ping -c 100 ${ends.address}`))

/** What a way that works may suffer from. */
export const weakness = (ends: Ends, result: ProbeResult): Finding | undefined => {
  const { host } = ends, { peer } = result, there = thereOf(ends), lost = loss(ends, result)
  if (lost !== undefined) return lost
  if (peer?.path === "relay") {
    return on(host, warn(`streams to ${there} go through relay ${peer.relay ?? ""}: no direct path is found`.replace("  ", " "), "let UDP pass between the hosts, both ways (the mesh check shows each host's port); a relay works, but slower"))
  }
  return undefined
}
