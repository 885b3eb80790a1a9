/** The five checks of `network test`, as this agent sees them: each gives its evidence when it passes, and what to do when it does not. */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import type { DiagnosticRequest } from "../../actors/machines/agentDiagnostic.ts"
import type { CheckName } from "../../domain/Diagnostic.ts"
import { hostName } from "../../domain/DnsLabel.ts"
import type { SandboxId } from "../../domain/Ids.ts"
import { rulesFor, rulesForLocal } from "../../domain/Policy.ts"
import type { Topology, TopologyAgent, TopologyAlias } from "../../domain/Topology.ts"
import { resolverAddress } from "../../domain/VirtualAddress.ts"
import type { Peer, ProbeResult, Target } from "../../protocol/meshd/Messages.ts"
import * as Address from "../addresses.ts"
import { DataPlane } from "../dataplane/DataPlane.ts"
import type { MeshdFailure } from "../dataplane/MeshdClient.ts"
import { Knowledge } from "../Knowledge.ts"

export interface Finding { readonly outcome: "pass" | "fail" | "skip"; readonly reason: string; readonly next: string | null; readonly micros?: number }
type Check = (request: DiagnosticRequest, topology: Topology, alias: TopologyAlias) => Effect.Effect<Finding, never, DataPlane | Knowledge>

const pass = (reason: string, micros?: number): Finding => ({ outcome: "pass", reason, next: null, ...(micros === undefined ? {} : { micros }) })
const fail = (reason: string, next: string): Finding => ({ outcome: "fail", reason, next })
const skip = (reason: string): Finding => ({ outcome: "skip", reason, next: null })
const meshdAway = fail("meshd does not answer on this host", "start meshd (systemctl start gstacks-meshd), and see its log")

/** The agent at the other end: the target's for the source, the source's for the target. */
const otherAgent = (request: DiagnosticRequest, topology: Topology, alias: TopologyAlias): TopologyAgent | undefined => {
  const id = request.role === "source" ? alias.agentId : topology.members.find((member) => member.id === request.source)?.agentId
  return topology.agents.find((agent) => agent.id === id)
}

const mesh: Check = (request, topology, alias) => Effect.gen(function*() {
  const { hello, node: nodeOf } = yield* DataPlane
  const { identity } = yield* Knowledge
  if ((yield* hello) === undefined) return meshdAway
  const node = yield* nodeOf(topology.networkId)
  if (node === undefined || node.state === "starting") return fail("this host is still joining the network's mesh", `try again in a few seconds; progress: gstacks debug actor ${Address.join(topology.networkId)}`)
  if (node.state === "failed") return fail(`joining the mesh failed: ${node.error ?? "no reason given"}`, "see the agent's and meshd's logs")
  const joined = `joined as ${node.address} over ${node.transport}`
  const other = otherAgent(request, topology, alias)
  if (other === undefined || other.id === identity?.agentId) return pass(`${joined}; both ends are on this host`)
  if (other.node === null) return fail(`${joined}, but agent ${other.name} has not joined yet`, `see whether it is online: gstacks agent show ${other.name}`)
  const peer = node.peers.find((candidate) => candidate.nodeId === other.node?.id)
  if (peer === undefined) return fail(`${joined}, but the mesh does not show agent ${other.name} to this host`, "see the control plane's log for the mesh policy, and try again")
  if (!peer.online && !peer.ready) return fail(`${joined}, but agent ${other.name} is offline in the mesh`, `see meshd on that host: gstacks agent show ${other.name}`)
  return pass(`${joined}; ${other.name} ${pathOf(peer)}`)
})

const pathOf = (peer: typeof Peer.Type): string => {
  if (peer.path === "direct") return `direct${peer.endpoint === undefined ? "" : ` at ${peer.endpoint}`}`
  if (peer.path === "relay") return `through relay ${peer.relay ?? ""}`.trimEnd()
  return "reachable, no path in use now"
}

const topology: Check = (request, { version }) => Effect.gen(function*() {
  const { inForce, problem } = yield* DataPlane
  const { stale } = yield* Knowledge
  const now = yield* inForce
  const applied = now?.plan.networks.find((network) => network.id === request.networkId)?.topologyVersion
  if (stale) return fail("the agent has been out of touch with the control plane for too long, and grants nothing new", "bring the control plane back, or raise GLOBALSTACKS_TOPOLOGY_MAX_AGE")
  if (applied === undefined) return fail((yield* problem) ?? "not in force yet", "see the agent's log")
  if (applied < request.version) return fail(`version ${applied} is in force, ${request.version} is wanted${version < request.version ? ", and has not arrived" : `: ${(yield* problem) ?? "meshd is at it"}`}`, "try again in a second; see gstacks network show")
  return pass(`version ${applied} in force`)
})

const dns: Check = (request, network, alias) => Effect.gen(function*() {
  const { inForce } = yield* DataPlane
  const { running } = yield* Knowledge
  const name = hostName(alias.name, network.name)
  if (request.role === "target" || request.source === null) return pass(`${name} is ${alias.address}`)
  const plan = (yield* inForce)?.plan
  const process = running.get(request.source)
  const placed = plan?.sandboxes.find((sandbox) => sandbox.id === request.source)
  if (process === undefined) return fail(...stopped(network, request.source))
  if (plan?.zones.find((zone) => zone.id === placed?.zone)?.names[name] === undefined) return fail(`the sandbox's zone has no ${name}`, "try again in a second; see the topology check")
  if (!usesResolver(process.pid)) return fail(`the sandbox's /etc/resolv.conf does not name ${resolverAddress}`, "run the sandbox again: something in it replaced the file")
  return pass(`the sandbox resolves ${name} to ${alias.address}`)
})

const stopped = ({ members }: Topology, id: SandboxId): readonly [reason: string, next: string] => {
  const name = members.find((member) => member.id === id)?.name ?? id
  return [`sandbox ${name} is stopped`, `see how it ended: gstacks sandbox show ${name}; start it again: gstacks sandbox run ${name} --replace -- <command>`]
}

const usesResolver = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/root/etc/resolv.conf`, "utf8").includes(`nameserver ${resolverAddress}`)
  } catch {
    return true // not ours to look at: nothing speaks against it
  }
}

const route: Check = (request, network, alias) => Effect.gen(function*() {
  const { meshd } = yield* DataPlane
  const { running } = yield* Knowledge
  const client = yield* Effect.option(meshd)
  if (client._tag === "None") return meshdAway
  const target = `${alias.name}:${request.port}`
  if (request.role === "target") {
    if (!running.has(alias.sandboxId)) return fail(...stopped(network, alias.sandboxId))
    return yield* client.value.connect(alias.sandboxId, request.port).pipe(
      Effect.map(({ micros }) => pass(`the program behind ${target} accepts connections`, micros)),
      Effect.catch((error: MeshdFailure) => Effect.succeed(fail(`nothing accepts connections on port ${request.port} in the sandbox behind ${alias.name}: ${error.message}`, `start the program, listening on 127.0.0.1:${request.port} or 0.0.0.0:${request.port}`))))
  }
  if (request.source === null) return skip("a developer's machine asks from its own agent")
  if (rulesFor(network, request.source, alias.id, request.port).length === 0) return skip("not tried: the policy denies it")
  const way = targetOf(yield* Knowledge, otherAgent(request, network, alias), alias)
  if (way === undefined) return fail(`the agent that hosts ${alias.name} has not joined the mesh yet`, "try again in a few seconds; see the mesh check")
  return yield* client.value.probe({ network: network.networkId, sandbox: request.source, alias: alias.id, port: request.port, target: way }).pipe(
    Effect.map((result) => describeProbe(result, target)),
    Effect.catch((error: MeshdFailure) => Effect.succeed(fail(`meshd could not try: ${error.message}`, "see meshd's log"))))
})

const targetOf = ({ identity }: Knowledge["Service"], agent: TopologyAgent | undefined, alias: TopologyAlias): Target | undefined => {
  if (alias.agentId === identity?.agentId) return { kind: "sandbox", sandbox: alias.sandboxId }
  return agent?.node ? { kind: "node", node: agent.node.id, address: agent.node.address } : undefined
}

const stepNext: Readonly<Record<ProbeResult["steps"][number]["name"], string>> = {
  permit: "try again in a second: the permit is not in force here; see the topology check",
  dial: "see the mesh check: the target's host does not answer in the mesh",
  verdict: "try again in a second: the target's agent may lack this topology version",
  connect: "start the program behind the alias, listening on that port"
}
const describeProbe = ({ ok, steps }: ProbeResult, target: string): Finding => {
  const micros = steps.reduce((sum, step) => sum + step.micros, 0)
  const broken = steps.find((step) => !step.ok)
  if (ok || broken === undefined) return pass(`${target} answers: ${steps.map((step) => `${step.name} ${step.micros} us`).join(", ")}`, micros)
  return { ...fail(`${target} does not answer; it stops at ${broken.name}: ${broken.error ?? "no reason given"}`, stepNext[broken.name]), micros }
}

const policy: Check = (request, network, alias) => Effect.sync(() => {
  const rules = request.source === null ? rulesForLocal(network, alias.id, request.port) : rulesFor(network, request.source, alias.id, request.port)
  const source = request.source === null ? "local" : `sandbox:${network.members.find((member) => member.id === request.source)?.name ?? request.source}`
  const target = `${hostName(alias.name, network.name)}:${request.port}`
  return rules.length > 0
    ? pass(`${source} may reach ${target} by ${rules.map((rule) => rule.id).join(", ")}`)
    : fail(`no rule of version ${network.version} lets ${source} reach ${target}`, `gstacks network policy allow ${network.name} --from ${source} --to ${alias.name} --port ${request.port}`)
})

export const checks: Readonly<Record<CheckName, Check>> = { mesh, topology, dns, route, policy }
