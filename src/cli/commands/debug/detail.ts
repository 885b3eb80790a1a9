/** One actor as text: how it is, its chart, what it would take now, what it did last, and what its spec lets show of its context. */
import type { ActorDetail } from "../../../domain/Sight.ts"
import { eventLabels, type EventLabels } from "../../../domain/Sight/eventLabels.ts"
import type { ProcessName } from "../../ActorSource.ts"
import { properties, table } from "../../output/table.ts"
import { chartText } from "./chart.ts"
import { happening, timeOf } from "./entries.ts"
import { qualified } from "./scope.ts"
import { age } from "./tree.ts"

const lastEntries = 15

const section = (title: string, text: string): string => text === "" ? "" : `\n${title}:\n${text}`
const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ")

const summary = (process: ProcessName, { actor }: ActorDetail, now: number): string =>
  properties([
    ["Address", qualified(process, actor.address)], ["Kind", actor.kind], [actor.kind === "machine" ? "Machine" : "Strategy", actor.machine],
    ["State", actor.state], ["Status", actor.status], ["Since", `${new Date(actor.since).toISOString()} (${age(now - actor.since)})`],
    ["Restarts", actor.restarts], ["Mailbox", actor.mailbox], ["Last error", actor.lastError]
  ])

export const labelsOf = ({ chart }: ActorDetail): EventLabels => eventLabels(chart === null ? [] : [chart])

const accepts = ({ accepts }: ActorDetail, labels: EventLabels): string => accepts.length === 0 ? "" :
  indented(table([
    ["EVENT", (one) => labels.get(one.event) ?? one.event], ["FROM", (one) => one.origin], ["GUARD", (one) => one.guard], ["TO", (one) => one.targets.join(", ") || "(stays)"]
  ], accepts))

const context = (detail: ActorDetail): string => {
  const shown = Object.entries(detail.context).map(([key, value]) => [key, JSON.stringify(value)] as const)
  return indented(properties(detail.output === null ? shown : [...shown, ["(output)", JSON.stringify(detail.output)]]))
}

const history = ({ history }: ActorDetail, labels: EventLabels): string => history.length === 0 ? "" :
  indented(table([["TIME", timeOf], ["WHAT", happening(labels)]], history.slice(-lastEntries)))

export const detailText = (process: ProcessName, detail: ActorDetail, now: number): string => {
  const labels = labelsOf(detail)
  return summary(process, detail, now) +
    section("Chart (* active)", detail.chart === null ? "" : chartText(detail.chart, detail.active)) +
    section("Takes now", accepts(detail, labels)) +
    section("Context", context(detail)) +
    section("Last of its journal", history(detail, labels))
}
