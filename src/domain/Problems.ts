/**
 * Failures that a caller can act on, as RFC 9457 problems: `detail` says what and why in the user's words, `hint` is the
 * next command. The same classes travel over HTTP and the agent's messages. Exit codes follow from the status.
 */
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"
import { LocalNodeEnd } from "./LocalNode.ts"

const urn = <const Name extends string>(name: Name): `urn:gstacks:problem:${Name}` => `urn:gstacks:problem:${name}`
const text = { detail: Schema.String, hint: Schema.String }
const P = HttpApiError.Problem

export class InvalidRequest extends P<InvalidRequest>()("InvalidRequest", { type: urn("invalid-request"), status: 400, title: "The request is not valid" }, text) {}
export class ModeNotSupported extends P<ModeNotSupported>()("ModeNotSupported", { type: urn("mode-not-supported"), status: 400, title: "This traffic mode is not supported yet" }, text) {}
export class ReservedNetwork extends P<ReservedNetwork>()("ReservedNetwork", { type: urn("reserved-network"), status: 400, title: "The network name is reserved" }, text) {}
export class ReservedAlias extends P<ReservedAlias>()("ReservedAlias", { type: urn("reserved-alias"), status: 400, title: "The alias name is reserved" }, text) {}
export class InvalidSelector extends P<InvalidSelector>()("InvalidSelector", { type: urn("invalid-selector"), status: 400, title: "The source selector is not valid" }, text) {}
export class InvalidPolicy extends P<InvalidPolicy>()("InvalidPolicy", { type: urn("invalid-policy"), status: 400, title: "The policy is not valid" }, { ...text, errors: Schema.Array(Schema.Struct({ path: Schema.Array(Schema.Union([Schema.String, Schema.Int])), message: Schema.String })) }) {}
export class Unauthorized extends P<Unauthorized>()("Unauthorized", { type: urn("unauthorized"), status: 401, title: "Login needed" }, text) {}
export class EnrolmentRefused extends P<EnrolmentRefused>()("EnrolmentRefused", { type: urn("enrolment-refused"), status: 403, title: "The enrolment token was refused" }, text) {}
export class NetworkNotFound extends P<NetworkNotFound>()("NetworkNotFound", { type: urn("network-not-found"), status: 404, title: "No such network" }, text) {}
export class SandboxNotFound extends P<SandboxNotFound>()("SandboxNotFound", { type: urn("sandbox-not-found"), status: 404, title: "No such sandbox" }, text) {}
export class AgentNotFound extends P<AgentNotFound>()("AgentNotFound", { type: urn("agent-not-found"), status: 404, title: "No such agent" }, text) {}
export class AliasNotFound extends P<AliasNotFound>()("AliasNotFound", { type: urn("alias-not-found"), status: 404, title: "No such alias" }, text) {}
export class PortNotPublished extends P<PortNotPublished>()("PortNotPublished", { type: urn("port-not-published"), status: 404, title: "The alias does not publish this port" }, text) {}
export class RuleNotFound extends P<RuleNotFound>()("RuleNotFound", { type: urn("rule-not-found"), status: 404, title: "No such rule" }, text) {}
export class RunNotFound extends P<RunNotFound>()("RunNotFound", { type: urn("run-not-found"), status: 404, title: "No such run of a test" }, text) {}
export class LimitNotFound extends P<LimitNotFound>()("LimitNotFound", { type: urn("limit-not-found"), status: 404, title: "No such limit" }, text) {}
export class TokenNotFound extends P<TokenNotFound>()("TokenNotFound", { type: urn("token-not-found"), status: 404, title: "No such token" }, text) {}
export class ActorNotFound extends P<ActorNotFound>()("ActorNotFound", { type: urn("actor-not-found"), status: 404, title: "No such actor" }, text) {}
export class LocalNodeNotFound extends P<LocalNodeNotFound>()("LocalNodeNotFound", { type: urn("local-node-not-found"), status: 404, title: "No such joined machine" }, text) {}
export class PublishingNotAllowed extends P<PublishingNotAllowed>()("PublishingNotAllowed", { type: urn("publishing-not-allowed"), status: 403, title: "The user is no publisher of the network" }, text) {}
export class PublisherNotFound extends P<PublisherNotFound>()("PublisherNotFound", { type: urn("publisher-not-found"), status: 404, title: "The user is no publisher of the network" }, text) {}
export class NotAttached extends P<NotAttached>()("NotAttached", { type: urn("not-attached"), status: 409, title: "The sandbox is not attached to the network" }, text) {}
export class NetworkExists extends P<NetworkExists>()("NetworkExists", { type: urn("network-exists"), status: 409, title: "The network exists" }, text) {}
export class NetworkNotEmpty extends P<NetworkNotEmpty>()("NetworkNotEmpty", { type: urn("network-not-empty"), status: 409, title: "The network is not empty" }, text) {}
export class SandboxExists extends P<SandboxExists>()("SandboxExists", { type: urn("sandbox-exists"), status: 409, title: "A sandbox of this name is alive" }, text) {}
export class AliasTaken extends P<AliasTaken>()("AliasTaken", { type: urn("alias-taken"), status: 409, title: "The alias is taken" }, { ...text, sandbox: Schema.String }) {}
export class AgentInUse extends P<AgentInUse>()("AgentInUse", { type: urn("agent-in-use"), status: 409, title: "The agent still hosts sandboxes" }, text) {}
export class TooManyLocalNodes extends P<TooManyLocalNodes>()("TooManyLocalNodes", { type: urn("too-many-local-nodes"), status: 409, title: "The user has joined too many machines" }, text) {}
export class TooManyPublished extends P<TooManyPublished>()("TooManyPublished", { type: urn("too-many-published"), status: 409, title: "The user publishes too many ports" }, text) {}
export class PublishedFromMachine extends P<PublishedFromMachine>()("PublishedFromMachine", { type: urn("published-from-machine"), status: 409, title: "The alias is published from a developer's machine" }, text) {}
/** `expired`: joining again is in order. The others are somebody's decision. */
export class LocalNodeEnded extends P<LocalNodeEnded>()("LocalNodeEnded", { type: urn("local-node-ended"), status: 410, title: "The machine is no longer joined" }, { ...text, reason: LocalNodeEnd }) {}
export class TopologyMoved extends P<TopologyMoved>()("TopologyMoved", { type: urn("topology-moved"), status: 412, title: "The network has changed meanwhile" }, text) {}
export class AddressesExhausted extends P<AddressesExhausted>()("AddressesExhausted", { type: urn("addresses-exhausted"), status: 507, title: "No virtual address is free" }, text) {}
export class AgentUnavailable extends P<AgentUnavailable>()("AgentUnavailable", { type: urn("agent-unavailable"), status: 503, title: "The agent cannot be reached" }, text) {}
export class SandboxFailed extends P<SandboxFailed>()("SandboxFailed", { type: urn("sandbox-failed"), status: 502, title: "The agent could not start the sandbox" }, text) {}
export class TooManyRuns extends P<TooManyRuns>()("TooManyRuns", { type: urn("too-many-runs"), status: 503, title: "Too many tests or traces run at once" }, text) {}
export class StoreUnavailable extends P<StoreUnavailable>()("StoreUnavailable", { type: urn("store-unavailable"), status: 503, title: "The control plane's database does not answer" }, text) {}
export class MeshUnavailable extends P<MeshUnavailable>()("MeshUnavailable", { type: urn("mesh-unavailable"), status: 503, title: "The mesh coordinator does not answer" }, text) {}

/** 0 ok, 1 failed, 2 usage, 3 not found, 4 login needed. */
export const exitCodeOf = (status: number): number => (status === 400 ? 2 : status === 404 ? 3 : status === 401 ? 4 : 1)
