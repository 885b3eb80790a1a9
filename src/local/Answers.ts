/** What `network test` and `network trace` ask this machine when it is their source: the checks of an agent, as far as a machine without sandboxes has them. */
import { Clock, Context, Effect } from "effect"
import type { DiagnosticRequest } from "../actors/machines/agentDiagnostic.ts"
import { DataPlane } from "../agent/dataplane/DataPlane.ts"
import { bounded, checks } from "../agent/diagnostics/checks.ts"
import { localText } from "../agent/diagnostics/checks/policy.ts"
import { describe } from "../agent/diagnostics/checks/route.ts"
import { type CheckServices, fail, type Finding, meshdAway, pass, skip } from "../agent/diagnostics/Finding.ts"
import { HostSigns } from "../agent/diagnostics/HostSigns.ts"
import { probe, type Start } from "../agent/diagnostics/probing.ts"
import { trace } from "../agent/diagnostics/trace.ts"
import * as Agent from "../agent/Knowledge.ts"
import type { CheckName, Looker } from "../domain/Diagnostic.ts"
import { hostName } from "../domain/DnsLabel.ts"
import { rulesForLocal } from "../domain/Policy.ts"
import type { Topology, TopologyAlias } from "../domain/Topology.ts"
import { type Hop, hopNames } from "../domain/Trace.ts"
import type { LocalAnswer, LocalGrant, LocalQuestion } from "../protocol/http/LocalNodesApi.ts"
import { Known } from "./Known.ts"

/** There are no sandboxes here, and no actors of an agent. */
const noSigns = HostSigns.of({ join: () => Effect.undefined, dnsListener: Effect.undefined, dnsPort: 0, controlUrl: () => undefined, silenceOf: () => Effect.undefined, resolver: () => undefined, listening: () => [] })

export const answerer = Effect.gen(function*() {
  const known = yield* Known
  const services: Context.Context<CheckServices> = Context.make(DataPlane, yield* DataPlane).pipe(Context.add(Agent.Knowledge, new Agent.Known()), Context.add(HostSigns, noSigns))

  return Effect.fnUntraced(function*({ id, network, networkId, user }: LocalGrant, question: LocalQuestion): Effect.fn.Return<LocalAnswer, never, CheckServices> {
    const topology = known.topology(network)
    const alias = topology?.aliases.find((candidate) => candidate.name === question.alias)
    const start: Start = { machine: id, name: `local:${user}` }
    const here: Looker = `local:${user}`
    const request: DiagnosticRequest = { networkId, version: question.version, role: "source", source: null, user, alias: question.alias, port: question.port }
    if (question._tag === "Trace") {
      const hops = topology !== undefined && alias !== undefined ? yield* trace(here, request, start, topology, alias, question.firstByteMs) : untried(here, question)
      return { _tag: "Trace", hops }
    }
    const { check } = question
    const finding = yield* bounded(check, topology === undefined ? Effect.succeed(nothingYet) : alias === undefined ? unlisted(check, request, topology) : find(check, request, start, topology, alias))
    return { _tag: "Check", result: { check, agent: here, micros: null, ...hinted(check, finding) } }
  }, Effect.provideContext(services))
})

const find = (check: CheckName, request: DiagnosticRequest, start: Start, topology: Topology, alias: TopologyAlias): Effect.Effect<Finding, never, CheckServices> => {
  if (check === "dns") return Effect.succeed(pass(`forwards lead to ${hostName(alias.name, topology.name)} at ${alias.address}; no name is looked up here`))
  if (check !== "route") return checks[check](request, topology, alias)
  return Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.match(probe(request, start, topology, alias), {
    onFailure: (finding) => finding, onSuccess: (probed) => describe(probed, rulesForLocal(topology, alias.id, request.port, now, request.user).length > 0)
  }))
}

const nothingYet = fail("this machine has not heard of the network's state yet", "try again in a second")

/** An alias that no rule opens to this machine: it is not told where that is. */
const unlisted = (check: CheckName, request: DiagnosticRequest, topology: Topology): Effect.Effect<Finding, never, CheckServices> => {
  switch (check) {
    case "mesh": return Effect.gen(function*() {
      const node = yield* (yield* DataPlane).node(topology.networkId)
      return node === undefined || node.state === "starting" || node.state === "failed"
        ? fail(`this machine has not joined the network's mesh: ${node?.error ?? "it is at it"}`, "try again in a few seconds") : pass(`joined as ${node.address} over ${node.transport}`)
    })
    case "topology": return Effect.flatMap(DataPlane, ({ inForce }) => Effect.map(inForce, (now) => {
      const applied = now?.plan.networks.find(({ id }) => id === topology.networkId)?.topologyVersion ?? 0
      return applied >= request.version ? pass(`version ${applied} in force`) : fail(`version ${applied} is in force, ${request.version} is wanted`, "try again in a second")
    }))
    case "policy": return Effect.succeed(fail(`no rule of version ${topology.version} lets ${localText(request.user)} reach ${hostName(request.alias, topology.name)}:${request.port}`,
      `gstacks network policy allow ${topology.name} --from ${localText(request.user)} --to ${request.alias} --port ${request.port}`))
    default: return Effect.succeed(skip("the policy denies it, so this machine is not told where the alias is"))
  }
}

const untried = (host: Looker, { alias, port }: LocalQuestion): ReadonlyArray<Hop> => hopNames.map((hop) => hop === "source"
  ? { hop, host, outcome: "fail", micros: null, detail: `no rule that this machine was told of lets it reach ${alias}:${port}`, next: "see what it may reach: gstacks mesh status; allow it: gstacks network policy allow" }
  : { hop, host: null, outcome: "skip", micros: null, detail: "not tried", next: null })

/** What is to be done here is done with other words than on a host. */
const hinted = (check: CheckName, finding: Finding): Finding => finding.next === null || finding.host !== undefined || (check !== "mesh" && check !== "topology" && finding !== meshdAway)
  ? finding : { ...finding, next: "on that machine: gstacks mesh status; if it stays so, join again: gstacks mesh leave, then gstacks mesh join" }
