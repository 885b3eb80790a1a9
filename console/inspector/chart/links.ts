/**
 * The states of a chart as a tree, and its transitions as links: all transitions from one state to one other share a link, and each
 * link belongs to the level of the tree on which it is drawn.
 */
import type { Chart, ChartState, ChartTransition } from "../../../src/domain/Sight.ts"

/** The machine itself, whose states are at the top. No state has this path. */
export const top = ""

export interface Link {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly transitions: ReadonlyArray<ChartTransition>
  /** The state inside which both ends are. */
  readonly level: string
  /** From a state into itself: drawn from a mark that stands for "any state in here", or back to where it begins. */
  readonly turn: "in" | "back" | undefined
}

export interface Structure {
  readonly chart: Chart
  readonly childrenOf: (path: string) => ReadonlyArray<ChartState>
  readonly isInside: (path: string, ancestor: string) => boolean
  /** The child of `level` that is `path` or holds it. */
  readonly childToward: (level: string, path: string) => string
  readonly links: ReadonlyArray<Link>
}

/** A line of text in a box. */
export interface Note { readonly text: string; readonly transition: ChartTransition | undefined }

export const anyText = "any state here"

/** Handled on the spot, or back to the same state: a note in its box says so better than a loop. */
const stays = (transition: ChartTransition): boolean =>
  transition.targets.length === 0 || (transition.targets.length === 1 && transition.targets[0] === transition.source)

/** How a chart calls a guard that has no name. */
const unnamed = "condition"

export const transitionText = ({ guard, label }: ChartTransition): string =>
  guard === null ? short(label) : `${short(label)} [${guard === unnamed ? "…" : short(guard)}]`

/** A drawing that one text makes a mile wide helps nobody. */
const short = (text: string): string => text.length <= 60 ? text : `${text.slice(0, 59)}…`

export const nameOf = (state: ChartState): string =>
  short(state.parent !== null && state.path.startsWith(`${state.parent}.`) ? state.path.slice(state.parent.length + 1) : state.path)

export const structureOf = (chart: Chart): Structure => {
  const children = new Map<string, Array<ChartState>>()
  const ancestors = new Map<string, ReadonlyArray<string>>([[top, []]])
  // Parents come first; what names a parent that did not come is put at the top, so that no file can make a circle.
  for (const state of chart.states) {
    if (ancestors.has(state.path)) continue
    const parent = state.parent !== null && ancestors.has(state.parent) ? state.parent : top
    children.set(parent, [...(children.get(parent) ?? []), state])
    ancestors.set(state.path, [...ancestors.get(parent)!, parent])
  }
  /** From the machine down to the state itself. */
  const way = (path: string): ReadonlyArray<string> => [...(ancestors.get(path) ?? []), path]

  const groups = new Map<string, Array<ChartTransition>>()
  for (const transition of chart.transitions) {
    const from = transition.source ?? top
    if (stays(transition) || !ancestors.has(from)) continue
    for (const to of transition.targets) {
      if (!ancestors.has(to) || to === top) continue
      const key = JSON.stringify([from, to])
      groups.set(key, [...(groups.get(key) ?? []), transition])
    }
  }
  const links = [...groups].map(([id, transitions]): Link => {
    const [from, to] = JSON.parse(id) as [string, string]
    const [down, up] = [ancestors.get(to)!.includes(from), ancestors.get(from)!.includes(to)]
    const level = down ? from : up ? to : way(from).findLast((path) => way(to).includes(path) && path !== from && path !== to) ?? top
    return { id, from, to, transitions, level, turn: down ? "in" : up ? "back" : undefined }
  })
  return {
    chart, links,
    childrenOf: (path) => children.get(path) ?? [],
    isInside: (path, ancestor) => ancestors.get(path)?.includes(ancestor) === true,
    childToward: (level, path) => { const all = way(path); return all[all.indexOf(level) + 1] ?? path }
  }
}

/** What a state runs, and what it handles without leaving. */
export const notesOf = ({ chart }: Structure, path: string, invokes: ReadonlyArray<string>): ReadonlyArray<Note> => [
  ...invokes.map((name) => ({ text: `runs ${short(name)}`, transition: undefined })),
  ...chart.transitions.filter((transition) => (transition.source ?? top) === path && stays(transition)).map((transition) => ({
    text: transition.targets.length === 0 ? transitionText(transition) : `${transitionText(transition)}, again`, transition
  }))
]
