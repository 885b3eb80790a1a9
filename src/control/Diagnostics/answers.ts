/** Whether an agent's answer is one to the question that it was asked; what is not is refused, so that no agent speaks for another. */
import type { CheckName, CheckResult, Looker } from "../../domain/Diagnostic.ts"

export interface Question { readonly check: CheckName; readonly agent: { readonly name: Looker } }

/** Of all its texts together: an honest answer has a few hundred. */
const mostCharacters = 8_192
const mostEvidence = 32

/** What is wrong with it; undefined: nothing. */
export const refusalOf = ({ check, agent }: Question, answer: CheckResult): string | undefined => {
  if (answer.check !== check) return `answered for check ${answer.check} when asked for ${check}`
  if (answer.agent !== null && answer.agent !== agent.name) return "answered in the name of another agent"
  const evidence = Object.entries(answer.evidence ?? {})
  const characters = evidence.reduce((sum, [name, value]) => sum + name.length + value.length, answer.reason.length + (answer.next?.length ?? 0))
  if (evidence.length > mostEvidence || characters > mostCharacters) return "answered with more than can be shown"
  if (answer.micros !== null && answer.micros < 0) return "answered with a negative time"
  return undefined
}

export const refused = ({ check, agent }: Question, why: string): CheckResult => ({
  check, outcome: "fail", agent: agent.name, reason: `agent "${agent.name}" ${why}; its answer was refused`, next: `update the agent, or see why it does so: gstacks agent show ${agent.name}`, micros: null
})
