/** The delta that takes one plan to another; `patchPlan` is its inverse and says what a delta means. Order carries no meaning. */
import { isDeepStrictEqual } from "node:util"
import { difference } from "../../domain/difference.ts"
import type { Changes, Plan, PlanDelta } from "../../protocol/meshd/Messages.ts"

interface Identified { readonly id: string }
type Key = keyof Plan
const keys: ReadonlyArray<Key> = ["networks", "zones", "sandboxes", "outbound", "inbound"]

/** Absent keys have not changed; an empty delta has no key at all. */
export const diffPlans = (before: Plan, after: Plan): PlanDelta => {
  const delta: { -readonly [K in Key]?: Changes<Identified> } = {}
  for (const key of keys) {
    const changes = diffItems(before[key], after[key])
    if (changes.upsert.length > 0 || changes.remove.length > 0) delta[key] = changes
  }
  return delta as PlanDelta
}

export const isEmpty = (delta: PlanDelta): boolean => keys.every((key) => delta[key] === undefined)

export const patchPlan = (plan: Plan, delta: PlanDelta): Plan => ({
  networks: patchItems(plan.networks, delta.networks), zones: patchItems(plan.zones, delta.zones),
  sandboxes: patchItems(plan.sandboxes, delta.sandboxes), outbound: patchItems(plan.outbound, delta.outbound),
  inbound: patchItems(plan.inbound, delta.inbound)
})

/** What has not changed is mostly the same object in both: only the rest is looked into. */
const diffItems = (allBefore: ReadonlyArray<Identified>, allAfter: ReadonlyArray<Identified>): Changes<Identified> => {
  const { before, after } = difference(allBefore, allAfter)
  const old = new Map(before.map((item) => [item.id, item]))
  const kept = new Set(after.map((item) => item.id))
  return {
    upsert: after.filter((item) => !isDeepStrictEqual(old.get(item.id), item)),
    remove: before.filter((item) => !kept.has(item.id)).map((item) => item.id)
  }
}

const patchItems = <A extends Identified>(items: ReadonlyArray<A>, changes: Changes<A> | undefined): ReadonlyArray<A> => {
  if (changes === undefined) return items
  const byId = new Map(items.map((item) => [item.id, item]))
  for (const id of changes.remove) byId.delete(id)
  for (const item of changes.upsert) byId.set(item.id, item)
  return [...byId.values()]
}
