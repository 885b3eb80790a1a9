/** `gstacks network show dev`: desired and applied version per agent, attachments, aliases, rules. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import type { LocalNode } from "../../../domain/LocalNode.ts"
import type { AgentVersion, NetworkDetail } from "../../../domain/Network.ts"
import { ControlApi } from "../../ControlApi.ts"
import { type Columns, properties, table } from "../../output/table.ts"
import { show as showView } from "../../output/view.ts"
import { network } from "../../words.ts"
import { aliasColumns } from "./alias/list.ts"
import { limitColumns, type LimitInUse, withExceeded } from "./limit/list.ts"
import { ruleColumns } from "./policy/list.ts"
import { publisherColumns } from "./publisher/list.ts"

const agentColumns = (desired: number): Columns<AgentVersion> => [
  ["AGENT", (a) => a.agent], ["ONLINE", (a) => a.online ? "yes" : "no"], ["DESIRED", () => `v${desired}`],
  ["APPLIED", (a) => a.applied === null ? null : `v${a.applied}`], ["JOINED", (a) => a.joined ? "yes" : "no"], ["REASON", (a) => a.reason]
]

const localNodeColumns: Columns<LocalNode> = [
  ["ID", (n) => n.id], ["USER", (n) => n.user], ["MACHINE", (n) => n.machine], ["ADDRESS", (n) => n.address ?? "joining"],
  ["SINCE", (n) => n.createdAt], ["SEEN", (n) => n.seenAt], ["EXPIRES", (n) => n.expiresAt]
]

const section = (title: string, empty: string, items: ReadonlyArray<unknown>, body: () => string): string =>
  `\n${title}\n${items.length === 0 ? `${empty}\n` : body()}`

const page = ({ network, attachments, aliases, rules, limits, agents, localNodes, publishers }: Omit<NetworkDetail, "limits"> & { readonly limits: ReadonlyArray<LimitInUse> }): string =>
  properties([["Name", network.name], ["Id", network.id], ["Suffix", network.suffix], ["Mode", network.mode], ["Topology", `v${network.version}`], ["Created", network.createdAt]]) +
  section("AGENTS", "none takes part yet", agents, () => table(agentColumns(network.version), agents)) +
  section("SANDBOXES", `none is attached; next: gstacks network attach ${network.name} <sandbox>`, attachments, () =>
    table([["SANDBOX", (a) => a.sandbox], ["AGENT", (a) => a.agent], ["ALIASES", (a) => a.aliases.join(",")]], attachments)) +
  section("ALIASES", "none", aliases, () => table(aliasColumns, aliases)) +
  section("RULES", "none, so all is refused", rules, () => table(ruleColumns, rules)) +
  (limits.length === 0 ? "" : section("LIMITS", "", limits, () => table(limitColumns, limits))) +
  (localNodes.length === 0 ? "" : section("LOCAL NODES", "", localNodes, () => table(localNodeColumns, localNodes))) +
  (publishers.length === 0 ? "" : section("PUBLISHERS", "", publishers, () => table(publisherColumns, publishers)))

export const show = Command.make("show", { network }, Effect.fn(function*({ network }) {
  const api = yield* ControlApi
  const stored = yield* api.call((client) => client.networks.show({ params: { network } }))
  const detail = { ...stored, limits: yield* withExceeded(network, stored.limits) }
  yield* showView({ document: detail, table: () => page(detail), names: () => [detail.network.name] })
})).pipe(
  Command.withDescription("Show a network: what each agent has applied, sandboxes, aliases, rules"),
  Command.withExamples([{ command: "gstacks network show dev" }])
)
