/** A network's rules as one document, and what a change would do before it is made. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AliasName, Port } from "../../domain/DnsLabel.ts"
import { RuleComment } from "../../domain/Network.ts"
import { PolicyDiff } from "../../domain/PolicyDiff.ts"
import { NetworkPolicy, PolicyChange, PolicyFile } from "../../domain/PolicyFile.ts"
import { PolicyReplay } from "../../domain/PolicyReplay.ts"
import * as Problem from "../../domain/Problems.ts"
import { Change } from "../../domain/Receipt.ts"
import { Authorization } from "./Authorization.ts"

/** What a user typed to name something. A zero byte is in no name, and no database takes it. */
export const Ref = Schema.String.check(Schema.isPattern(/^[^\0]*$/, { message: "text without zero bytes" }))
export const tenYearsSeconds = 10 * 366 * 86_400

/** Ports from `port` to `lastPort` (default: that one); without `forSeconds` until revoked. */
export const NewRule = Schema.Struct({
  from: Ref, to: AliasName, port: Port, lastPort: Schema.optionalKey(Port),
  forSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: tenYearsSeconds }, { message: "seconds, from one to ten years" }))),
  comment: Schema.optionalKey(RuleComment)
})

/** A change that can be asked about before it is made. */
export const Proposal = Schema.Union([
  Schema.TaggedStruct("Apply", { policy: PolicyFile, ifVersion: Schema.optionalKey(Schema.Int) }),
  Schema.TaggedStruct("Allow", NewRule.fields),
  Schema.TaggedStruct("Revoke", { rule: Ref }),
  Schema.TaggedStruct("Detach", { sandbox: Ref }),
  Schema.TaggedStruct("RemoveAlias", { alias: Ref, port: Schema.optionalKey(Port) }),
  Schema.TaggedStruct("MoveAlias", { alias: Ref, sandbox: Ref })
])
export type Proposal = typeof Proposal.Type

/** `"42"`, as HTTP wants it, or plain 42. */
const IfMatch = Schema.String.check(Schema.isPattern(/^"?\d{1,9}"?$/, { message: "a topology version, like \"42\"" }))

const network = { network: Ref }

export class PolicyGroup extends HttpApiGroup.make("policy").add(
  /** The `ETag` is the topology version. */
  HttpApiEndpoint.get("show", "/:network/policy", { params: network, success: NetworkPolicy, error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  /** Makes the rules those of the document, in one version, or in none when they are so already. With `If-Match` only when the network still has that version. */
  HttpApiEndpoint.put("apply", "/:network/policy", {
    params: network, headers: { "if-match": Schema.optionalKey(IfMatch) }, payload: PolicyFile, success: Schema.Struct({ value: PolicyChange, change: Change }),
    error: [Problem.NetworkNotFound, Problem.InvalidPolicy, Problem.TopologyMoved, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.post("diff", "/:network/policy/diff", {
    params: network, payload: Proposal, success: PolicyDiff,
    error: [
      Problem.NetworkNotFound, Problem.InvalidPolicy, Problem.TopologyMoved, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.RuleNotFound, Problem.NotAttached, Problem.PublishedFromMachine,
      Problem.InvalidSelector, Problem.InvalidRequest, Problem.StoreUnavailable
    ]
  }),
  /** What the policy would have refused or let through of what the agents have recorded, `withinMs` back (default a day); of the newest records only. */
  HttpApiEndpoint.post("replay", "/:network/policy/replay", {
    params: network, payload: Schema.Struct({ policy: PolicyFile, withinMs: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))) }), success: PolicyReplay,
    error: [Problem.NetworkNotFound, Problem.InvalidPolicy, Problem.TopologyMoved, Problem.StoreUnavailable]
  })
).middleware(Authorization).prefix("/api/v1/networks") {}
