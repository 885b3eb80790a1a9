/**
 * Where each state and transition of a chart is drawn: a pure function of the chart, worked out once per machine. A state with states
 * inside is placed from the inside out and is one box to the level above; a link that crosses borders is put together from its ways on
 * each level.
 */
import type { Chart, ChartState } from "../../../src/domain/Sight.ts"
import { type Box, measures, move, type Point, type Size, textWidth } from "./geometry.ts"
import { type Link, nameOf, type Note, notesOf, type Structure, structureOf, top } from "./links.ts"
import { placeLevel, type Side } from "./placeLevel.ts"

export interface StateBox extends Box {
  readonly path: string
  readonly name: string
  readonly type: ChartState["type"]
  readonly holds: boolean
  /** What it runs, and what it handles without leaving. */
  readonly notes: ReadonlyArray<Note>
}

/** Where a state's inside begins, or what stands for any state in it, with what the machine handles in all. */
export interface Mark extends Box { readonly kind: "initial" | "any"; readonly notes: ReadonlyArray<Note> }

export interface Line {
  readonly points: ReadonlyArray<Point>
  /** None: the arrow to the state that is entered first. */
  readonly link: Link | undefined
  readonly label: Box | undefined
}

export interface ChartLayout extends Size {
  /** Outer boxes come before what is in them. */
  readonly states: ReadonlyArray<StateBox>
  readonly marks: ReadonlyArray<Mark>
  readonly lines: ReadonlyArray<Line>
}

/** On which side of which box each link crosses, as the level above wants it. */
type Sides = Map<string, Side>

interface Level extends ChartLayout {
  /** Of a link that passes the border: its way from its state to there. */
  readonly passageOf: (link: Link) => ReadonlyArray<Point>
}

export const layoutChart = (chart: Chart): ChartLayout => {
  const structure = structureOf(chart)
  // Once to learn on which side each link leaves a box, once more with its ports there.
  const sides: Sides = new Map()
  layoutLevel(structure, top, new Map(), sides)
  const { height, lines, marks, states, width } = layoutLevel(structure, top, new Map(sides), sides)
  return { height, lines, marks, states, width }
}

const sideKey = (link: Link, box: string): string => `${box} ${link.id}`

const layoutLevel = (structure: Structure, level: string, sides: Sides, learned: Sides): Level => {
  const children = structure.childrenOf(level)
  const inner = new Map(children.filter(({ path }) => structure.childrenOf(path).length > 0).map(({ path }) => [path, layoutLevel(structure, path, sides, learned)]))
  const notes = level === top ? notesOf(structure, top, []) : []
  const placed = placeLevel(structure, level, (child) => sizeOf(structure, child, inner.get(child.path)), notes, (link) => sides.get(sideKey(link, level)))

  /** From the coordinates inside a box to those of this level. */
  const offset = (box: string): Point => {
    const { height, x, y } = placed.boxOf(box)
    const content = inner.get(box)!
    return { x: x - content.width / 2, y: y + height / 2 - content.height }
  }
  /** The part of a link that lies inside the box that holds its end, from the end to the border. */
  const partInside = (end: string, link: Link): ReadonlyArray<Point> => {
    const box = structure.childToward(level, end)
    return box === end ? [] : inner.get(box)!.passageOf(link).map(move(offset(box)))
  }

  const lineOf = (link: Link): Line => {
    const { label, points } = placed.wayOf(link)
    const before = link.turn === "in" ? [] : partInside(link.from, link)
    const after = link.turn === "back" ? [] : partInside(link.to, link).toReversed()
    for (const [end, point] of [[link.from, points[0]], [link.to, points.at(-1)]] as const) {
      const box = structure.childToward(level, end)
      if (point !== undefined && inner.has(box)) learned.set(sideKey(link, box), point.y > placed.boxOf(box).y ? "below" : "above")
    }
    return { link, label, points: [...before, ...points.slice(before.length > 0 ? 1 : 0, after.length > 0 ? -1 : undefined), ...after] }
  }

  const lines = structure.links.filter((link) => link.level === level).map(lineOf)
  if (placed.initial?.way !== undefined) lines.push({ ...placed.initial.way, link: undefined })
  const contents = [...inner].map(([box, content]) => ({ ...content, by: move(offset(box)) as <P extends Point>(point: P) => P }))
  return {
    width: placed.width,
    height: placed.height,
    passageOf: (link) => {
      const end = structure.isInside(link.from, level) ? link.from : link.to
      const box = structure.childToward(level, end)
      const { points, side } = placed.passageOf(link)
      if (inner.has(box)) learned.set(sideKey(link, box), side)
      const inside = partInside(end, link)
      return [...inside, ...points.slice(inside.length > 0 ? 1 : 0)]
    },
    states: [
      ...children.map((child) => ({
        ...placed.boxOf(child.path), path: child.path, name: nameOf(child), type: child.type, holds: inner.has(child.path), notes: notesOf(structure, child.path, child.invokes)
      })),
      ...contents.flatMap(({ by, states }) => states.map(by))
    ],
    marks: [
      ...placed.initial === undefined ? [] : [{ ...placed.initial.mark, kind: "initial" as const, notes: [] }],
      ...placed.any === undefined ? [] : [{ ...placed.any, kind: "any" as const, notes }],
      ...contents.flatMap(({ by, marks }) => marks.map(by))
    ],
    lines: [
      ...lines,
      ...contents.flatMap(({ by, lines }) => lines.map((line) => ({ ...line, points: line.points.map(by), label: line.label === undefined ? undefined : by(line.label) })))
    ]
  }
}

/** A head with its name and notes, and below it what is inside. */
const sizeOf = (structure: Structure, child: ChartState, content: Size | undefined): Size => {
  const notes = notesOf(structure, child.path, child.invokes)
  // The name of an active state has a mark before it.
  const texts = [`● ${nameOf(child)}`, ...notes.map((note) => note.text)]
  return {
    width: Math.max(textWidth(texts), content?.width ?? 0),
    height: measures.title + notes.length * measures.line + (content?.height ?? measures.padding - 5)
  }
}
