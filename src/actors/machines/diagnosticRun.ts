/**
 * One `network test`: the five checks in their order, each asked of every agent that takes part. A check that fails does not
 * end the run, because the later ones tell more; the results are collected for the verdict.
 */
import { Result } from "effect"
import { assign, type DoneActorEvent, type PromiseActorLogic, setup } from "xstate"
import type { CheckName, CheckResult } from "../../domain/Diagnostic.ts"
import type { DurableState } from "../runtime/DurableState.ts"

export interface DiagnosticRunInput { readonly run: string }
export type Checked = Result.Result<ReadonlyArray<CheckResult>, never>

const checking = (check: CheckName, target: string, description: string) => ({
  description,
  invoke: {
    id: check, src: "check" as const,
    input: ({ context }: { context: { run: string } }) => ({ run: context.run, check }),
    onDone: { target, actions: "collect" as const }
  }
})

/** Nothing: who asked is told that the control plane went away. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const diagnosticRunMachine = setup({
  types: {
    context: {} as { run: string; results: ReadonlyArray<CheckResult> },
    input: {} as DiagnosticRunInput
  },
  actors: { check: {} as PromiseActorLogic<Checked, { run: string; check: CheckName }> },
  actions: {
    collect: assign({
      results: ({ context, event }) => [...context.results, ...Result.getOrThrow((event as unknown as DoneActorEvent<Checked>).output)]
    })
  }
}).createMachine({
  id: "diagnosticRun",
  context: ({ input }) => ({ run: input.run, results: [] }),
  initial: "checkingMesh",
  states: {
    checkingMesh: checking("mesh", "checkingTopology", "Asks whether the hosts have joined the network's mesh."),
    checkingTopology: checking("topology", "checkingDns", "Asks whether the version is in force on them."),
    checkingDns: checking("dns", "checkingRoute", "Asks whether the names resolve there."),
    checkingRoute: checking("route", "checkingPolicy", "Asks whether the target answers."),
    checkingPolicy: checking("policy", "done", "Asks whether a rule permits it, as each agent sees it."),
    done: { description: "Every agent has answered every check, or failed to.", type: "final" }
  }
})
