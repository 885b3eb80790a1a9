/** Which processes a `debug` command looks at, and how an actor in one of them is named: `host-1:agent/link`, `control/mesh`, `local/joins/dev`. */
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { nearest } from "../../../domain/nearest.ts"
import type { ProcessActors } from "../../../domain/Sight.ts"
import { look, type ProcessName, type Scope } from "../../ActorSource.ts"
import { notFound, usage } from "../../Failure.ts"

const agentFlag = Flag.String("agent").pipe(Flag.withMetavar("<host>"), Flag.withDescription("Only this agent; over its socket where that is on this machine"), Flag.optional)
const controlFlag = Flag.Boolean("control").pipe(Flag.withDescription("Only the control plane itself"), Flag.withoutNegation, Flag.withDefault(false))
const localFlag = Flag.Boolean("local").pipe(Flag.withDescription("Only your own background process on this machine, which mesh join starts"), Flag.withoutNegation, Flag.withDefault(false))
export const scopeFlags = { agent: agentFlag, control: controlFlag, local: localFlag }

export const scopeOf = ({ agent, control, local }: { readonly agent: Option.Option<string>; readonly control: boolean; readonly local: boolean }) => {
  const asked: ReadonlyArray<Scope> = [
    ...Option.match(agent, { onNone: () => [], onSome: (agent): ReadonlyArray<Scope> => [{ _tag: "Agent", agent }] }),
    ...control ? [{ _tag: "Control" } as const] : [], ...local ? [{ _tag: "Local" } as const] : []
  ]
  return asked.length > 1 ? Effect.fail(usage("--agent, --control and --local exclude one another", "choose one of them")) : Effect.succeed<Scope>(asked[0] ?? { _tag: "Cluster" })
}

/** These need no qualifier: no agent has any actor below `control` or `local`. */
const roots: ReadonlyMap<string, Scope> = new Map([["control", { _tag: "Control" }], ["local", { _tag: "Local" }]])
const scopeAt = (address: string): Scope | undefined => roots.get(address.split("/", 1)[0]!)

export const qualified = (process: ProcessName, address: string): string =>
  address === "" ? process ?? "control" : process === null || scopeAt(address) !== undefined ? address : `${process}:${address}`
export const processName = (process: ProcessName): string => process ?? "the control plane"

interface Target {
  readonly scope: Scope
  readonly address: string
}

/** A host's name holds no slash; an address may hold colons. */
const qualifier = /^([^:/]+):(.+)$/

export const parseAddress = (typed: string, scope: Scope) => {
  const [, host, address] = qualifier.exec(typed) ?? []
  if (host === undefined || address === undefined) {
    return Effect.succeed<Target>({ scope: scope._tag === "Cluster" ? scopeAt(typed) ?? scope : scope, address: typed })
  }
  if (scope._tag === "Control" || scope._tag === "Local" || (scope._tag === "Agent" && scope.agent !== host)) return Effect.fail(usage(`${typed} names an agent, and another process was asked for`, `gstacks debug actor ${typed}`))
  return Effect.succeed<Target>({ scope: { _tag: "Agent", agent: host }, address })
}

const unknown = (typed: string, processes: ReadonlyArray<ProcessActors>) => {
  const asTyped = (process: ProcessName, address: string) => qualifier.test(typed) ? qualified(process, address) : address
  const there = processes.flatMap(({ agent, actors }) => actors.map(({ address }) => ({ name: asTyped(agent, address), full: qualified(agent, address) })))
  const closest = nearest(typed, there.map(({ name }) => name))
  const likely = there.find(({ name }) => name === closest)?.full
  const unseen = processes.filter(({ problem }) => problem !== null).map(({ agent }) => processName(agent))
  return notFound("actor-not-found", `there is no actor ${typed}${unseen.length === 0 ? "" : ` (${unseen.join(", ")} could not be asked)`}`,
    likely === undefined ? "gstacks debug actors -o name" : `did you mean gstacks debug actor ${likely}? All: gstacks debug actors -o name`)
}

/** The process in which the actor is, and the way to look at it. */
export const findActor = Effect.fnUntraced(function*(typed: string, wanted: Scope) {
  const { scope, address } = yield* parseAddress(typed, wanted)
  const { source, processes } = yield* look(scope)
  const holders = processes.filter(({ actors }) => actors.some((actor) => actor.address === address))
  const [holder] = holders
  if (holder === undefined) return yield* unknown(typed, processes)
  if (holders.length > 1) return yield* usage(`${address} is on several agents: ${holders.map(({ agent }) => processName(agent)).join(", ")}`, `choose one: gstacks debug actor ${qualified(holder.agent, address)}`)
  return { source, process: holder.agent, address }
})
