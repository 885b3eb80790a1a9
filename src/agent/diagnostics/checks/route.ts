/** Does a stream get through to the program? The source's agent tries the whole way, the target's the last step alone. */
import { Clock, Effect } from "effect"
import type { DiagnosticRequest } from "../../../actors/machines/agentDiagnostic.ts"
import { rulesFor } from "../../../domain/Policy.ts"
import type { Topology, TopologyAlias } from "../../../domain/Topology.ts"
import { DataPlane } from "../../dataplane/DataPlane.ts"
import type { MeshdClient, MeshdFailure } from "../../dataplane/MeshdClient.ts"
import { Knowledge } from "../../Knowledge.ts"
import { type Check, fail, type Finding, meshdAway, meshdTrouble, nameOf, pass, skip, stopped, warn } from "../Finding.ts"
import { HostSigns } from "../HostSigns.ts"
import { type Listening, reachesLoopback } from "../listening.ts"
import { appTrouble, evidenceOf, explain, probe, type Probed, weakness } from "../probing.ts"

export const route: Check = (request, network, alias) => request.role === "target" ? atTarget(request, network, alias) : fromSource(request, network, alias)

const fromSource: Check = (request, network, alias) => Effect.gen(function*() {
  if (request.source === null) return skip("a developer's machine tries it itself")
  const isAllowed = rulesFor(network, request.source, alias.id, request.port, yield* Clock.currentTimeMillis).length > 0
  return yield* Effect.match(probe(request, { sandbox: request.source }, network, alias), { onFailure: (finding) => finding, onSuccess: (probed) => describe(probed, isAllowed) })
})

/** What only follows from the policy's no. */
const refusals: ReadonlySet<string> = new Set(["enter", "permit", "verdict"])

export const describe = ({ ends, result }: Probed, isAllowed: boolean): Finding => {
  const micros = result.steps.reduce((sum, step) => sum + step.micros, 0)
  const broken = result.steps.find(({ ok, name }) => !ok && (isAllowed || !refusals.has(name)))
  const evidence = evidenceOf(result)
  if (broken !== undefined) return { evidence, micros, ...explain(ends, broken, result) }
  const trouble = weakness(ends, result)
  if (trouble !== undefined) return { evidence, micros, ...trouble }
  const steps = result.steps.filter(({ ok }) => ok).map((step) => `${step.name} ${step.micros} us`).join(", ")
  return isAllowed ? { ...pass(`${ends.target} answers: ${steps}`, micros), evidence } : skip(`the policy denies it; the way is open as far as that: ${steps}`)
}

const atTarget = (request: DiagnosticRequest, network: Topology, alias: TopologyAlias): Effect.Effect<Finding, never, DataPlane | Knowledge | HostSigns> => Effect.gen(function*() {
  const { meshd } = yield* DataPlane
  const { running } = yield* Knowledge
  const signs = yield* HostSigns
  const client = yield* Effect.option(meshd)
  if (client._tag === "None") return meshdAway
  const { sandboxId } = alias
  if (sandboxId === undefined) return skip("a developer's machine publishes it, which no agent can look into")
  const process = running.get(sandboxId)
  if (process === undefined) return stopped(network, sandboxId)
  const target = `${alias.name}:${request.port}`
  const behind = nameOf(network, sandboxId)
  return yield* client.value.connect(sandboxId, request.port).pipe(
    Effect.map(({ micros }) => accepting(target, behind, request.port, micros, signs.listening(process.pid))),
    Effect.catch((error: MeshdFailure) => Effect.gen(function*() {
      const trouble = meshdTrouble(error)
      if (trouble !== undefined) return trouble
      const finding = appTrouble(target, behind, request.port, error.message)
      const elsewhere = signs.listening(process.pid).filter(notOurs(yield* ownPorts(client.value, alias)))
      return error._tag === "MeshdRefused" && error.code === "refused" ? listensElsewhere(finding, network, target, behind, request.port, elsewhere) : finding
    })))
})

/** Not counting the check's own connections, which a program that accepts has taken by then or takes soon. */
const fewWaiting = 8

const accepting = (target: string, behind: string, port: number, micros: number, listening: ReadonlyArray<Listening>): Finding => {
  const waiting = Math.max(0, ...listening.filter((socket) => socket.port === port).map((socket) => socket.waiting))
  return waiting <= fewWaiting ? pass(`the program behind ${target} accepts connections`, micros)
    : warn(`${waiting} connections wait for the program behind ${target} to accept them`, `it is slow or hangs; see what it does: gstacks sandbox logs ${behind}`, { waiting: String(waiting) })
}

/** meshd listens in the sandbox too. */
const ownPorts = (client: MeshdClient, alias: TopologyAlias) => client.status.pipe(
  Effect.map(({ sandboxes }) => sandboxes.filter(({ id }) => id === alias.sandboxId).flatMap(({ listenerPort, dnsPort }) => [listenerPort, dnsPort])),
  Effect.orElseSucceed((): ReadonlyArray<number> => []))
const notOurs = (own: ReadonlyArray<number>) => (socket: Listening): boolean => !own.includes(socket.port)

const addressesOf = (sockets: ReadonlyArray<Listening>): string => sockets.map(({ address, port }) => `${address}:${port}`).join(", ")

const listensElsewhere = (finding: Finding, network: Topology, target: string, behind: string, port: number, sockets: ReadonlyArray<Listening>): Finding => {
  const text = addressesOf(sockets)
  const evidence = { listening: text === "" ? "nowhere" : text }
  const alias = target.slice(0, target.lastIndexOf(":"))
  const [other] = sockets.filter(reachesLoopback)
  const there = sockets.filter((socket) => socket.port === port)
  if (there.length > 0) {
    return fail(`the program behind ${target} listens on another address than 127.0.0.1: ${addressesOf(there)}`, `have it listen on 127.0.0.1:${port} or 0.0.0.0:${port}`, evidence)
  }
  if (other === undefined) return { ...finding, evidence }
  return fail(`nothing listens on port ${port} in sandbox ${behind}, behind ${target}, but on ${text}`,
    `have the program listen on ${port}, or publish where it does: gstacks network alias add ${network.name} ${behind} ${alias} --port ${other.port}`, evidence)
}
