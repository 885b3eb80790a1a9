/** Has this host joined the network's mesh, and does it see the other one there? */
import { Effect, Result } from "effect"
import type { Topology, TopologyAgent, TopologyLocalNode } from "../../../domain/Topology.ts"
import type { MeshdStatus, NodeStatus, Peer } from "../../../protocol/meshd/Messages.ts"
import * as Address from "../../addresses.ts"
import { DataPlane } from "../../dataplane/DataPlane.ts"
import { type MeshdFailure, MeshdRefused, noAnswer } from "../../dataplane/MeshdClient.ts"
import { Knowledge } from "../../Knowledge.ts"
import { type Check, fail, type Finding, machineBehind, machineText, meshdTrouble, on, otherAgent, outOfDescriptors, pass } from "../Finding.ts"
import { HostSigns } from "../HostSigns.ts"

export const mesh: Check = (request, topology, alias) => Effect.gen(function*() {
  const { meshd, node: nodeOf } = yield* DataPlane
  const { identity } = yield* Knowledge
  const status = yield* Effect.result(Effect.flatMap(meshd, (client) => answered(client.status)))
  if (Result.isFailure(status)) return meshdTrouble(status.failure) ?? fail(`meshd does not tell how it is: ${status.failure.message}`, "see meshd's log (journalctl -u gstacks-meshd)")
  const spent = descriptorsOf(status.success)
  if (spent !== undefined) return spent
  const node = yield* nodeOf(topology.networkId)
  const machine = machineBehind(topology, alias)
  const other = otherAgent(request, topology, alias)
  const needsMesh = other?.id !== identity?.agentId
  if (node === undefined || node.state === "starting" || node.state === "failed") {
    const finding = yield* notJoined(topology, node)
    return needsMesh ? finding : { ...finding, outcome: "warn" as const, reason: `${finding.reason}; both ends are on this host, which works without` }
  }
  const joined = `joined as ${node.address} over ${node.transport}`
  if (!needsMesh) return pass(`${joined}; both ends are on this host`)
  if (machine !== undefined && request.role === "source") return seenMachine(joined, node, machine)
  return other === undefined ? pass(joined) : seen(joined, node, other)
})

/** It has its figures at hand; this is long on a busy host, too. */
const statusWithin = "2 seconds"
const answered = <A>(call: Effect.Effect<A, MeshdFailure>): Effect.Effect<A, MeshdFailure> => Effect.timeoutOrElse(call, {
  duration: statusWithin, orElse: () => Effect.fail(new MeshdRefused({ method: "status", code: noAnswer, message: `no answer within ${statusWithin}` }))
})

/** A stream takes six. */
const spareDescriptors = 6
const descriptorsOf = ({ descriptors }: MeshdStatus): Finding | undefined => {
  if (descriptors === undefined || descriptors.open + spareDescriptors <= descriptors.limit) return undefined
  const seen = { open: String(descriptors.open), limit: String(descriptors.limit) }
  return outOfDescriptors("this host", `${seen.open} are open, the limit is ${seen.limit}`, seen)
}

/** Local nodes come and go; what the mesh says of one is as new as its last sign of life. */
const seenMachine = (joined: string, node: NodeStatus, machine: TopologyLocalNode): Finding => {
  const evidence = evidenceOf(node)
  const there = machineText(machine), peer = node.peers.find((candidate) => candidate.nodeId === machine.nodeId)
  if (peer === undefined || (!peer.online && !peer.ready)) return fail(`${joined}, but ${there} is not in the mesh: it sleeps, is off, or has left`, "see it there: gstacks mesh status", evidence)
  return pass(`${joined}; ${there} ${pathOf(peer)}`)
}

const evidenceOf = (node: NodeStatus) => ({ node: node.nodeId, address: node.address, transport: node.transport, udpPort: String(node.udpPort) })

const seen = (joined: string, node: NodeStatus, other: TopologyAgent): Finding => {
  const evidence = evidenceOf(node)
  if (other.node === null) return on(other, fail(`${joined}, but agent ${other.name} has not joined yet`, `see whether it is online: gstacks agent show ${other.name}`, evidence))
  const peer = node.peers.find((candidate) => candidate.nodeId === other.node?.id)
  if (peer === undefined) {
    return on(other, fail(`${joined}, but the mesh does not show agent ${other.name} to this host: its node ${other.node.id} may have expired or been deleted`,
      `restart meshd on ${other.name} (systemctl restart gstacks-meshd), which joins again; see the control plane's log for the mesh policy`, evidence))
  }
  if (!peer.online && !peer.ready) return on(other, fail(`${joined}, but agent ${other.name} is offline in the mesh`, `see meshd on that host: gstacks agent show ${other.name}`, { ...evidence, peer: peer.address }))
  return pass(`${joined}; ${other.name} ${pathOf(peer)}; the UDP port here is ${node.udpPort}`)
}

export const pathOf = (peer: typeof Peer.Type): string => {
  if (peer.path === "direct") return `direct${peer.endpoint === undefined ? "" : ` at ${peer.endpoint}`}`
  if (peer.path === "relay") return `through relay ${peer.relay ?? ""}`.trimEnd()
  return "reachable, no path in use now"
}

interface Cause { readonly words: RegExp; readonly reason: string; readonly next: string }
const unanswered: Cause = {
  words: /no such host|lookup|refused|unreachable|did not come up in time|no answer within|timeout/i, reason: "the mesh coordinator does not answer this host",
  next: "check APP_HOST and GLOBALSTACKS_MESH_CONTROL_URL on the control plane, and try its URL from this host: curl <url>/health"
}
/** What stops a join, by the words of whoever refused it. meshd's say of a node that is lost that a key is needed. */
const causes: ReadonlyArray<Cause> = [
  { words: /coordinator is not running|mesh-unavailable/i, reason: "the mesh coordinator (Headscale) is down", next: "see it on the control plane: gstacks debug actor control:control/mesh/managedHeadscale" },
  {
    words: /does not know this node|does not accept this node|node .*expired/i, reason: "this host's node has expired or was deleted at the mesh coordinator",
    next: "it joins again by itself; keep its key from expiring (headscale nodes list), and see the agent's log"
  },
  {
    words: /auth ?key|invalid key|pre-?auth|unauthori[sz]ed/i, reason: "the mesh coordinator refused this host's key",
    next: "it asks for another by itself; see Headscale's log, and GLOBALSTACKS_MESH_AUTH_KEY on the control plane where that is set"
  },
  unanswered
]

const notJoined = ({ networkId }: Topology, node: NodeStatus | undefined) => Effect.gen(function*() {
  const signs = yield* HostSigns
  const join = yield* signs.join(networkId)
  const url = signs.controlUrl(networkId)
  const error = node?.error ?? join?.error ?? null
  const evidence = { ...(join === undefined ? {} : { join: join.state }), ...(url === undefined ? {} : { controlUrl: url }), ...(error === null ? {} : { error }) }
  const because = (cause: Cause, words: string): Finding => fail(`joining the mesh failed: ${cause.reason}: ${words}`, cause.next.replace("<url>", url ?? "<mesh control URL>"), evidence)
  const cause = causes.find(({ words }) => error !== null && words.test(error))
  if (cause !== undefined && cause !== unanswered) return because(cause, error!)
  const silence = url === undefined ? undefined : yield* signs.silenceOf(url)
  if (silence !== undefined) return because(unanswered, silence)
  if (cause !== undefined) return because(cause, error!)
  const progress = `gstacks debug actor ${Address.join(networkId)}`
  return error === null
    ? fail("this host is still joining the network's mesh", `try again in a few seconds; progress: ${progress}`, evidence)
    : fail(`joining the mesh failed: ${error}`, `see the agent's and meshd's logs; progress: ${progress}`, evidence)
})
