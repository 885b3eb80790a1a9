/** The tree of each process at a moment. Every thousandth tree is kept, so that a step back folds a thousand entries at most. */
import type { ActorState } from "../../../src/domain/Sight.ts"
import { advance, type ProcessLog, type Session } from "./Session.ts"
import { countsAt, type Moment, positionOf } from "./timeline.ts"

export interface ProcessTree {
  readonly log: ProcessLog
  readonly actors: ReadonlyArray<ActorState>
}

const stride = 1000
/** By the tree that a log begins with, which stays the same while it grows. */
const kept = new WeakMap<ReadonlyArray<ActorState>, Array<ReadonlyArray<ActorState>>>()

export const treeAfter = (log: ProcessLog, count: number): ReadonlyArray<ActorState> => {
  const trees = kept.get(log.actors) ?? [log.actors]
  kept.set(log.actors, trees)
  const apply = (tree: ReadonlyArray<ActorState>, from: number, to: number) => advance(tree, log.entries[from - 1]?.seq ?? log.seq, log.entries.slice(from, to))
  const whole = Math.floor(count / stride)
  while (trees.length <= whole) trees.push(apply(trees.at(-1)!, (trees.length - 1) * stride, trees.length * stride))
  return apply(trees[whole]!, whole * stride, count)
}

export const treesAt = (session: Session, moment: Moment): ReadonlyArray<ProcessTree> => {
  if (moment === "now") return session.processes.map((log) => ({ log, actors: log.now }))
  const counts = countsAt(session.timeline, positionOf(session.timeline, moment))
  return session.processes.map((log) => ({ log, actors: treeAfter(log, counts.get(log.agent) ?? 0) }))
}
