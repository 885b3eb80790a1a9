/** A small cluster as the inspector sees it: real charts, invented actors and a journal in which host-1's meshd goes away and comes back. */
import { networkJoinMachine } from "../../src/actors/machines/networkJoin.ts"
import { aliasListenerMachine } from "../../src/actors/machines/aliasListener.ts"
import { sandboxMachine } from "../../src/actors/machines/sandbox.ts"
import { chartOf } from "../../src/actors/sight/chart.ts"
import type { ActorState, Chart, JournalEntry } from "../../src/domain/Sight.ts"
import type { RecordedEntry, RecordedProcess, Recording } from "../../src/domain/Sight/Recording.ts"

export const began = Date.parse("2026-11-24T03:00:00Z")
export const charts: ReadonlyArray<Chart> = [chartOf(networkJoinMachine), chartOf(aliasListenerMachine), chartOf(sandboxMachine)]

export const supervisor = (address: string, strategy = "oneForOne"): ActorState =>
  ({ address, kind: "supervisor", machine: strategy, status: "running", state: "running", since: began, restarts: 0, mailbox: 0, lastError: null })
export const machine = (address: string, name: string, state: string, more: Partial<ActorState> = {}): ActorState =>
  ({ address, kind: "machine", machine: name, status: "running", state, since: began, restarts: 0, mailbox: 0, lastError: null, ...more })

const dev = "agent/networks/net_dev"
const network = (aliases: number): ReadonlyArray<ActorState> => [
  supervisor("agent"),
  supervisor("agent/networks"),
  supervisor(dev, "restForOne"),
  machine(`${dev}/join`, "networkJoin", "member.joined"),
  ...Array.from({ length: aliases }, (_, index) => machine(`${dev}/alias/api-${index}:8080`, "aliasListener", index % 50 === 7 ? "failed" : "listening")),
  supervisor("agent/sandboxes"),
  machine("agent/sandboxes/sbx_1", "sandbox", "running", { mailbox: 2 })
]

/** The control plane and two agents; the first has so many aliases. */
export const processes = (aliases: number): ReadonlyArray<RecordedProcess> => [
  { agent: null, seq: 0, charts: [], actors: [supervisor("control"), supervisor("control/rollouts")] },
  { agent: "host-1", seq: 10, charts, actors: network(aliases) },
  { agent: "host-2", seq: 0, charts, actors: network(1) }
]

const entry = (seq: number, address: string, more: Partial<JournalEntry>): JournalEntry =>
  ({ seq, at: began + seq * 1000, address, kind: "event", event: null, from: null, state: null, detail: null, ...more })

export const journal: ReadonlyArray<RecordedEntry> = [
  entry(11, `${dev}/join`, { event: "meshd.lost", from: "member.joined", state: "member.failed" }),
  entry(12, `${dev}/alias/api-0:8080`, { kind: "crashed", detail: "Error: meshd is away" }),
  entry(13, `${dev}/alias/api-0:8080`, { kind: "restarting", detail: "restForOne, 1 of 2 children, in 0 ms" }),
  entry(14, `${dev}/alias/api-0:8080`, { kind: "started", detail: "aliasListener" }),
  entry(15, `${dev}/alias/api-0:8080`, { event: "xstate.init", state: "planned" }),
  entry(16, `${dev}/join`, { event: "meshd.connected", from: "member.failed", state: "member.joining" }),
  entry(17, `${dev}/join`, { event: "xstate.done.actor.0.networkJoin.member.joining", from: "member.joining", state: "member.waitingForPeers" }),
  entry(18, `${dev}/join`, { event: "node.changed", from: "member.waitingForPeers", state: "member.joined" }),
  entry(19, `${dev}/alias/api-0:8080`, { event: "alias.permitted", from: "planned", state: "opening" })
].map((entry) => ({ agent: "host-1", entry }))

export const recording = (aliases = 2): Recording => ({ at: began, product: "0.1.0", processes: processes(aliases), entries: journal })
