/** The hops of `network trace`, made of what meshd's probe found. */
import { Effect } from "effect"
import type { DiagnosticRequest } from "../../actors/machines/agentDiagnostic.ts"
import type { Looker } from "../../domain/Diagnostic.ts"
import { hostName } from "../../domain/DnsLabel.ts"
import type { Topology, TopologyAlias } from "../../domain/Topology.ts"
import { type Hop, type HopName, hopNames } from "../../domain/Trace.ts"
import type { ProbeStepName } from "../../protocol/meshd/Messages.ts"
import { dns } from "./checks/dns.ts"
import { policy } from "./checks/policy.ts"
import { pathOf } from "./checks/mesh.ts"
import type { CheckServices, Finding } from "./Finding.ts"
import { explain, probe, type Probed, type Start, stepIn, weakness } from "./probing.ts"

/** Of the probe's steps, those that a hop is made of. */
const stepsOf: Readonly<Record<HopName, ReadonlyArray<ProbeStepName>>> = {
  name: ["resolve"], source: ["enter", "permit"], mesh: ["dial", "roundTrip", "fullSize"], target: ["verdict"], app: ["connect"], firstByte: ["firstByte"]
}

export const trace = (here: Looker, request: DiagnosticRequest, start: Start, network: Topology, alias: TopologyAlias, firstByteMs: number): Effect.Effect<ReadonlyArray<Hop>, never, CheckServices> =>
  Effect.matchEffect(probe(request, start, network, alias, firstByteMs), {
    onFailure: (finding) => Effect.succeed(hopNames.map((hop) => hop === (finding.host === undefined ? "source" : "mesh") ? failed(hop, here, finding) : skipped(hop, "not tried"))),
    onSuccess: (probed) => Effect.map(Effect.all([policy(request, network, alias), dns(request, network, alias)]), ([judgement, names]) =>
      hopNames.map((hop) => hop === "name" && names.outcome === "fail" ? failed(hop, here, names) : hopOf(hop, here, probed, judgement, network, alias)))
  })

const failed = (hop: HopName, here: Looker, finding: Finding, micros: number | null = null): Hop =>
  ({ hop, host: finding.host ?? here, outcome: finding.outcome, micros, detail: finding.reason, next: finding.next })
const skipped = (hop: HopName, detail: string): Hop => ({ hop, host: null, outcome: "skip", micros: null, detail, next: null })

const hopOf = (hop: HopName, here: Looker, { ends, result }: Probed, judgement: Finding, network: Topology, alias: TopologyAlias): Hop => {
  const steps = result.steps.filter(({ name }) => stepsOf[hop].includes(name))
  const broken = steps.find(({ ok }) => !ok)
  const micros = steps.filter(({ name }) => name !== "fullSize").reduce((sum, step) => sum + step.micros, 0)
  const isHere = ends.host === undefined && ends.machine === undefined
  if (hop === "mesh" && isHere) return skipped(hop, "both ends are on this host")
  if (hop === "target" && isHere) return skipped(hop, "the source's permit decides on one host")
  if (hop === "name" && steps.length === 0) return skipped(hop, "a developer's machine starts at its forward, which looks no name up")
  if (steps.length === 0) return skipped(hop, hop === "firstByte" && stepIn(result, "connect")?.ok === true ? "the app waits for the client" : "not reached")
  if (broken !== undefined) return failed(hop, here, hop === "source" && judgement.outcome === "fail" ? judgement : explain(ends, broken, result), micros)
  if (hop === "mesh") {
    const weak = weakness(ends, result)
    if (weak !== undefined) return failed(hop, here, weak, micros)
  }
  return { hop, host: isHere || hop === "name" || hop === "source" ? here : ends.host?.name ?? null, outcome: "pass", micros, next: null, detail: detailOf(hop, { ends, result }, judgement, network, alias) }
}

const detailOf = (hop: HopName, { ends, result }: Probed, judgement: Finding, network: Topology, alias: TopologyAlias): string => {
  switch (hop) {
    case "name": return `${hostName(alias.name, network.name)} is ${alias.address}`
    case "source": return judgement.reason
    case "mesh": return `${result.peer === undefined ? "connected" : pathOf(result.peer)}, round trip ${stepIn(result, "roundTrip")?.micros ?? "?"} us${result.pings === undefined ? "" : `, ${result.pings.received}/${result.pings.sent} packets back`}`
    case "target": return `${ends.host?.name ?? ends.behind} permits it`
    case "app": return `the program in ${ends.behind} accepts on port ${ends.port}`
    case "firstByte": return "the app speaks first"
  }
}
