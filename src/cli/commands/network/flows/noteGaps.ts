/** Notes what is missing of what the agents were asked, and why. */
import { Effect } from "effect"
import type { Cut } from "../../../../domain/Flow.ts"
import { note } from "../../../output/view.ts"

interface Answers { readonly agents: ReadonlyArray<{ readonly agent: string; readonly problem: string | null; readonly lost?: number }> }

export const noteGaps = ({ agents }: Answers) => Effect.forEach(agents, ({ agent, lost = 0, problem }) =>
  problem !== null ? note(`the flows of ${agent} are missing: ${problem}`)
    : lost > 0 ? note(`${agent} has lost ${lost} records since its start: they came too fast, or its disk refused them`) : Effect.void, { discard: true })

const kinds: Readonly<Record<keyof Cut, string>> = { open: "streams that are open", ended: "streams that have ended", refusals: "refusals" }

/** For each kind that has been cut: what is not shown, and what to do. */
export const cutNotes = (cut: Cut, limit: number): ReadonlyArray<string> => (["ended", "open", "refusals"] as const).filter((kind) => cut[kind]).map((kind) =>
  `there are more ${kinds[kind]} than are shown: only the newest ${limit}; raise --limit, or narrow with --since, --source or --to`)
