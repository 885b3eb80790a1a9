/**
 * Places one level of a chart with dagre: the states inside one state as plain boxes, whatever is in them, ranked from top to bottom. A
 * link that leaves or enters the level ends at a port on its upper or lower border.
 */
import { Graph, layout } from "@dagrejs/dagre"
import type { ChartState } from "../../../src/domain/Sight.ts"
import { type Box, measures, type Point, type Size, textWidth } from "./geometry.ts"
import { anyText, type Link, type Note, type Structure, top, transitionText } from "./links.ts"

export type Side = "above" | "below"

export interface Way { readonly points: ReadonlyArray<Point>; readonly label: Box | undefined }

/** The way of a passing link from its state to the border, in whichever direction it is taken. */
export interface Passage { readonly points: ReadonlyArray<Point>; readonly side: Side }

export interface PlacedLevel extends Size {
  readonly boxOf: (child: string) => Box
  readonly wayOf: (link: Link) => Way
  readonly passageOf: (link: Link) => Passage
  readonly initial: { readonly mark: Box; readonly way: Way | undefined } | undefined
  readonly any: Box | undefined
}

const start = "start"
const any = "any"

const firstOf = (children: ReadonlyArray<ChartState>): ChartState | undefined =>
  // In a parallel state all are entered: there is no first one.
  children.length > 1 && children.every((child) => child.initial) ? undefined : children.find((child) => child.initial)

export const placeLevel = (
  { childToward, childrenOf, isInside, links }: Structure,
  level: string,
  sizeOf: (child: ChartState) => Size,
  notes: ReadonlyArray<Note>,
  sideOf: (link: Link) => Side | undefined
): PlacedLevel => {
  const children = childrenOf(level)
  const own = links.filter((link) => link.level === level)
  const passing = links.filter((link) => isInside(link.from, level) !== isInside(link.to, level))
  const first = firstOf(children)
  const graph = new Graph({ multigraph: true })
  graph.setGraph({ rankdir: "TB", nodesep: 26, edgesep: 14, ranksep: 26, marginx: 14, marginy: level === top ? 14 : 10 })

  const stateId = (path: string): string => `state ${childToward(level, path)}`
  const portId = (link: Link): string => `port ${link.id}`
  const tailOf = (link: Link): string => link.turn === "in" ? any : stateId(link.from)
  const headOf = (link: Link): string => link.turn === "back" ? start : stateId(link.to)
  const insideEnd = (link: Link): string => isInside(link.from, level) ? link.from : link.to
  const side = (link: Link): Side => sideOf(link) ?? (isInside(link.from, level) ? "below" : "above")
  const portEdge = (link: Link) => side(link) === "below"
    ? { v: stateId(insideEnd(link)), w: portId(link), name: link.id }
    : { v: portId(link), w: stateId(insideEnd(link)), name: link.id }

  for (const child of children) graph.setNode(stateId(child.path), { ...sizeOf(child) })
  if (first !== undefined || own.some((link) => link.turn === "back")) graph.setNode(start, { width: 10, height: 10 })
  if (first !== undefined) graph.setEdge(start, stateId(first.path), { weight: 3, width: 0, height: 0 }, start)
  if (notes.length > 0 || own.some((link) => link.turn === "in")) {
    const texts = [anyText, ...notes.map((note) => note.text)]
    graph.setNode(any, { width: textWidth(texts), height: texts.length * measures.line + 6 })
  }
  for (const link of own) {
    const texts = link.transitions.map(transitionText)
    graph.setEdge(tailOf(link), headOf(link), { width: textWidth(texts) - measures.padding, height: texts.length * measures.line + 2, labelpos: "c" }, link.id)
  }
  layout(graph)

  if (passing.length > 0) {
    // A port has to be beyond all states, and how many ranks that is only a first layout tells.
    const heights = children.map((child) => Math.round(graph.node(stateId(child.path)).y!))
    const ranks = [...new Set(heights)].sort((a, b) => a - b)
    const lengths = passing.map((link) => {
      const rank = ranks.indexOf(Math.round(graph.node(stateId(insideEnd(link))).y!))
      return side(link) === "below" ? ranks.length - rank : rank + 1
    })
    passing.forEach((link, index) => {
      const { name, v, w } = portEdge(link)
      graph.setNode(portId(link), { width: 1, height: 1 })
      graph.setEdge(v, w, { width: 0, height: 0, weight: 2, minlen: lengths[index]! }, name)
    })
    layout(graph)
  }

  const { width = 0, height = 0 } = graph.graph() as Partial<Size>
  const boxOf = (id: string): Box => {
    const { height, width, x = 0, y = 0 } = graph.node(id)
    return { x, y, width, height }
  }
  const wayOf = (edge: { readonly v: string; readonly w: string; readonly name: string }): Way => {
    const { height = 0, points = [], width = 0, x, y } = graph.edge(edge)
    return { points, label: x === undefined || y === undefined ? undefined : { x, y, width, height } }
  }
  return {
    width, height,
    boxOf: (child) => boxOf(stateId(child)),
    wayOf: (link) => wayOf({ v: tailOf(link), w: headOf(link), name: link.id }),
    passageOf: (link) => {
      const below = side(link) === "below"
      const { points } = wayOf(portEdge(link))
      // A title is above the level.
      const border = { x: boxOf(portId(link)).x, y: below ? height : -measures.title }
      return { side: side(link), points: [...below ? points : points.toReversed(), border] }
    },
    initial: graph.hasNode(start)
      ? { mark: boxOf(start), way: first === undefined ? undefined : { points: wayOf({ v: start, w: stateId(first.path), name: start }).points, label: undefined } }
      : undefined,
    any: graph.hasNode(any) ? boxOf(any) : undefined
  }
}
