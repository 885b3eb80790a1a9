/** The trees of processes as a table: each process's actors below one another, with the lines of a tree before their names. */
import type { ActorState, ProcessActors } from "../../../domain/Sight.ts"
import { table } from "../../output/table.ts"
import { qualified } from "./scope.ts"

interface Branch { readonly actor: ActorState; readonly name: string; readonly children: Array<Branch> }

/** A recording may hold anything: what is deeper or longer than any tree of ours is drawn no deeper, and cut. */
const deepest = 32
const longest = 200
const short = (name: string): string => name.length <= longest ? name : `${name.slice(0, longest)}...`

/** By the addresses alone: a parent comes before its children, and an id may itself hold a slash. */
const branches = (actors: ReadonlyArray<ActorState>): ReadonlyArray<Branch> => {
  const roots: Array<Branch> = []
  const open: Array<Branch> = []
  for (const actor of actors) {
    while (open.length >= deepest || (open.length > 0 && !actor.address.startsWith(`${open.at(-1)!.actor.address}/`))) open.pop()
    const parent = open.at(-1)
    const branch: Branch = { actor, name: short(parent === undefined ? actor.address : actor.address.slice(parent.actor.address.length + 1)), children: [] }
    ;(parent?.children ?? roots).push(branch)
    open.push(branch)
  }
  return roots
}

interface Line { readonly name: string; readonly actor: ActorState | undefined; readonly problem: string | null }

const drawn = (branch: Branch, first: string, rest: string): ReadonlyArray<Line> => [
  { name: first + branch.name, actor: branch.actor, problem: null },
  ...branch.children.flatMap((child, i) => i === branch.children.length - 1 ? drawn(child, `${rest}\`- `, `${rest}   `) : drawn(child, `${rest}|- `, `${rest}|  `))
]

const linesOf = ({ agent, problem, actors }: ProcessActors): ReadonlyArray<Line> => problem === null
  ? branches(actors).flatMap((root) => drawn({ ...root, name: qualified(agent, root.name) }, "", ""))
  : [{ name: agent ?? "control", actor: undefined, problem }]

export const age = (ms: number): string => {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 120) return `${s} s`
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}

export const trees = (processes: ReadonlyArray<ProcessActors>, now: number): string =>
  table<Line>([
    ["ACTOR", ({ name }) => name], ["STATE", ({ actor }) => actor === undefined ? "not seen" : actor.state], ["STATUS", ({ actor }) => actor?.status],
    ["FOR", ({ actor }) => actor && age(now - actor.since)], ["RESTARTS", ({ actor }) => actor?.restarts], ["MAILBOX", ({ actor }) => actor?.mailbox],
    ["MACHINE", ({ actor }) => actor?.machine], ["LAST ERROR", ({ actor, problem }) => problem ?? actor?.lastError]
  ], processes.flatMap(linesOf))
