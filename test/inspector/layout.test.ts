import { assert, describe, it } from "@effect/vitest"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { AnyStateMachine } from "xstate"
import type { Box, Point } from "../../console/inspector/chart/geometry.ts"
import { layoutChart, type StateBox } from "../../console/inspector/chart/layout.ts"
import { chartOf } from "../../src/actors/sight/chart.ts"
import type { Chart } from "../../src/domain/Sight.ts"
import { sampleMachine } from "../actors/sight/sampleMachine.ts"

const folder = join(import.meta.dirname, "../../src/actors/machines")
const isMachine = (value: unknown): value is AnyStateMachine => typeof value === "object" && value !== null && "root" in value && "implementations" in value
const machines = (await Promise.all(readdirSync(folder).map((file) => import(join(folder, file)) as Promise<Record<string, unknown>>)))
  .flatMap((module) => Object.values(module).filter(isMachine))
const charts: ReadonlyArray<Chart> = [...machines, sampleMachine as AnyStateMachine].map(chartOf)

const edges = ({ height, width, x, y }: Box) => ({ left: x - width / 2, right: x + width / 2, up: y - height / 2, down: y + height / 2 })
const apart = (a: Box, b: Box): boolean => {
  const [one, other] = [edges(a), edges(b)]
  return one.right <= other.left || other.right <= one.left || one.down <= other.up || other.down <= one.up
}
const holds = (outer: Box, inner: Box): boolean => {
  const [one, other] = [edges(outer), edges(inner)]
  return one.left <= other.left && one.right >= other.right && one.up <= other.up && one.down >= other.down
}
/** Of a point: how far from the box's border, inside or outside. */
const fromBorder = (box: Box, { x, y }: Point): number => {
  const { down, left, right, up } = edges(box)
  const outside = Math.hypot(Math.max(left - x, 0, x - right), Math.max(up - y, 0, y - down))
  return outside > 0 ? outside : Math.min(x - left, right - x, y - up, down - y)
}

describe.each(charts.map((chart) => ({ name: chart.machine, chart })))("the chart of $name", ({ chart }) => {
  const layout = layoutChart(chart)
  const box = (path: string): StateBox => layout.states.find((state) => state.path === path)!
  const parentOf = new Map(chart.states.map(({ parent, path }) => [path, parent]))

  it("has every state once, inside its parent and apart from its siblings", () => {
    assert.sameMembers(layout.states.map(({ path }) => path), chart.states.map(({ path }) => path))
    for (const state of layout.states) {
      const parent = parentOf.get(state.path)!
      assert.isTrue(holds(parent === null ? { x: layout.width / 2, y: layout.height / 2, ...layout } : box(parent), state), `${state.path} is outside`)
      for (const sibling of layout.states) {
        if (sibling !== state && parentOf.get(sibling.path) === parent) assert.isTrue(apart(state, sibling), `${state.path} lies on ${sibling.path}`)
      }
    }
  })

  it("has every transition once, as a line from its state to its target or as a note", () => {
    const noted = [...layout.states, ...layout.marks].flatMap(({ notes }) => notes.flatMap(({ transition }) => transition ?? []))
    const drawn = layout.lines.flatMap(({ link }) => link?.transitions ?? [])
    assert.sameMembers([...noted, ...drawn], [...chart.transitions])
    for (const { label, link, points } of layout.lines) {
      if (link === undefined) continue
      assert.isAbove(points.length, 1)
      if (link.turn === undefined) assert.isBelow(fromBorder(box(link.from), points[0]!), 2, `${link.from} -> ${link.to} begins elsewhere`)
      if (link.turn !== "back") assert.isBelow(fromBorder(box(link.to), points.at(-1)!), 2, `${link.from} -> ${link.to} ends elsewhere`)
      assert.isTrue(holds({ x: layout.width / 2, y: layout.height / 2, ...layout }, label!))
    }
  })
})

describe("a hostile chart", () => {
  it("of circles, strangers and odd names is laid out all the same", () => {
    const state = (path: string, parent: string | null): Chart["states"][number] => ({ path, parent, type: "compound", initial: false, invokes: [] })
    const transition = (source: string | null, ...targets: ReadonlyArray<string>): Chart["transitions"][number] => ({ source, label: "l", event: "e", guard: null, targets })
    const { states } = layoutChart({
      machine: "m", states: [state("a", "b"), state("b", "a"), state("a", null), state("__proto__", "a"), state("constructor", "nobody"), state("c", "c")],
      transitions: [transition("a", "b"), transition("b", "a"), transition("nobody", "a"), transition("a", "nobody"), transition("__proto__", "constructor"), transition(null, "__proto__", "a")]
    })
    assert.sameMembers(states.map(({ path }) => path), ["a", "b", "__proto__", "constructor", "c"])
  })
})
