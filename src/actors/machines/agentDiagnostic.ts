/** The checks of `network test` that one agent was asked for, in order; each is a state, so that one that hangs can be seen to. A check answers in bounded time and never fails: a failure is its result. */
import { Result } from "effect"
import { assign, type PromiseActorLogic, setup } from "xstate"
import type { CheckName, CheckResult } from "../../domain/Diagnostic.ts"
import type { NetworkId, SandboxId } from "../../domain/Ids.ts"
import type { DurableState } from "../runtime/DurableState.ts"

export interface DiagnosticRequest {
  readonly networkId: NetworkId
  readonly version: number
  readonly role: "source" | "target"
  readonly source: SandboxId | null
  /** Whose machine, where that is the source; absent: anybody's. */
  readonly user?: string
  readonly alias: string
  readonly port: number
}
interface Input { readonly request: DiagnosticRequest; readonly checks: ReadonlyArray<CheckName> }
type Check = PromiseActorLogic<Result.Result<CheckResult, never>, { readonly check: CheckName; readonly request: DiagnosticRequest }>

const machine = setup({
  types: {
    context: {} as Input & { results: ReadonlyArray<CheckResult> },
    input: {} as Input,
    output: {} as ReadonlyArray<CheckResult>
  },
  actors: { check: {} as Check },
  guards: { nextIs: ({ context }, check: CheckName) => context.checks[context.results.length] === check }
})

const checking = (check: CheckName, description: string) => machine.createStateConfig({
  description,
  invoke: {
    src: "check", input: ({ context }) => ({ check, request: context.request }),
    onDone: { target: "choosing", actions: assign({ results: ({ context, event }) => Result.isSuccess(event.output) ? [...context.results, event.output.success] : context.results }) }
  }
})

/** Nothing: who asked asks again. */
export const survives: ReadonlyArray<DurableState<never>> = []

export const agentDiagnosticMachine = machine.createMachine({
  id: "agentDiagnostic",
  context: ({ input }) => ({ ...input, results: [] }),
  initial: "choosing",
  output: ({ context }) => context.results,
  states: {
    choosing: {
      description: "Takes the next of the checks that were asked for.",
      always: [
        { guard: { type: "nextIs", params: "mesh" }, target: "checkingMesh" },
        { guard: { type: "nextIs", params: "topology" }, target: "checkingTopology" },
        { guard: { type: "nextIs", params: "dns" }, target: "checkingDns" },
        { guard: { type: "nextIs", params: "route" }, target: "checkingRoute" },
        { guard: { type: "nextIs", params: "policy" }, target: "checkingPolicy" },
        { target: "done" }
      ]
    },
    checkingMesh: checking("mesh", "Has this host joined the network's mesh?"),
    checkingTopology: checking("topology", "Is the version in force here?"),
    checkingDns: checking("dns", "Do the names of the network resolve here?"),
    checkingRoute: checking("route", "Does the target answer?"),
    checkingPolicy: checking("policy", "Does a rule of the version here permit it?"),
    done: { description: "Every check has its result.", type: "final" }
  }
})
