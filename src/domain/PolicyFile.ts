/**
 * A network's rules as one document, for a file under version control: `{network?, rules: [{from, to, ports, expiresAt?, comment?}]}`. Names in it
 * mean what bears them when it is applied. Two rules are the same when source, alias and ports are; end and comment are a rule's terms.
 */
import { Schema } from "effect"
import { AliasName, NetworkName, parsePortRange, portForms } from "./DnsLabel.ts"
import { Rule, RuleComment } from "./Network.ts"
import { parseSelector, selectorForms } from "./Selector.ts"

/** Rules of one document. */
export const mostRules = 5_000

const Selector = Schema.String.check(Schema.makeFilter((text) => parseSelector(text)._tag === "Some" || `a source: ${selectorForms}`))
const Ports = Schema.String.check(Schema.makeFilter((text) => parsePortRange(text) !== undefined || portForms))
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/
const End = Schema.String.check(Schema.makeFilter((text) => isoTime.test(text) && !Number.isNaN(Date.parse(text)) || "a time with its zone, like 2030-01-31T18:00:00Z"))

export const PolicyRule = Schema.Struct({
  from: Selector, to: AliasName, ports: Ports,
  /** Absent: until it is taken out. */
  expiresAt: Schema.optionalKey(End),
  comment: Schema.optionalKey(RuleComment)
})
export type PolicyRule = typeof PolicyRule.Type

export const PolicyFile = Schema.Struct({
  /** Whose rules these are, so that they do not get into another network by mistake. */
  network: Schema.optionalKey(NetworkName),
  rules: Schema.Array(PolicyRule).check(Schema.isMaxLength(mostRules, { message: `at most ${mostRules} rules` }))
})
export type PolicyFile = typeof PolicyFile.Type

/** A key that is not known may be a term misspelt: then the rule would mean more than it says. */
export const strictly = { onExcessProperty: "error", errors: "all" } as const

/** What a network has: a file of its rules, and the topology version that they were read at. */
export const NetworkPolicy = Schema.Struct({ network: NetworkName, version: Schema.Int, rules: Schema.Array(PolicyRule) })
export type NetworkPolicy = typeof NetworkPolicy.Type

/** What applying a file did. `changed` got another end or comment; `over` counts rules of the file that had ended before. */
export const PolicyChange = Schema.Struct({
  added: Schema.Array(Rule), removed: Schema.Array(Rule), changed: Schema.Array(Rule), unchanged: Schema.Int, over: Schema.Int
})
export type PolicyChange = typeof PolicyChange.Type

/** A rule as a file holds it. */
export const toPolicyRule = ({ from, to, ports, expiresAt, comment }: Rule): PolicyRule => ({
  from, to, ports, ...(expiresAt === null ? {} : { expiresAt }), ...(comment === null ? {} : { comment })
})
