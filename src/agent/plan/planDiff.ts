/** The delta that takes one plan to another; `patchPlan` is its inverse and says what a delta means. Order carries no meaning. */
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

const diffItems = (before: ReadonlyArray<Identified>, after: ReadonlyArray<Identified>): Changes<Identified> => {
  const old = new Map(before.map((item) => [item.id, item]))
  const kept = new Set(after.map((item) => item.id))
  return {
    upsert: after.filter((item) => !same(old.get(item.id), item)),
    remove: before.filter((item) => !kept.has(item.id)).map((item) => item.id)
  }
}

/** Zones are large and shared between plans while their networks stay as they are, hence the look at identity first. */
const same = (a: Identified | undefined, b: Identified): boolean => a === b || (a !== undefined && JSON.stringify(a) === JSON.stringify(b))

const patchItems = <A extends Identified>(items: ReadonlyArray<A>, changes: Changes<A> | undefined): ReadonlyArray<A> => {
  if (changes === undefined) return items
  const byId = new Map(items.map((item) => [item.id, item]))
  for (const id of changes.remove) byId.delete(id)
  for (const item of changes.upsert) byId.set(item.id, item)
  return [...byId.values()]
}
