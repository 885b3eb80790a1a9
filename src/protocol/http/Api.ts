/** The HTTP API, `/api/v1`: one contract from which server, typed client, OpenAPI page and CLI follow. Changes answer with what was stored and the version it made; receipts are read by version. A key of a body or a query that is not known is an error: it may be a term misspelt. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema, OpenApi } from "effect/http-api"
import { Agent, NewToken, Token, TokenKind } from "../../domain/Agent.ts"
import { NetworkMetrics } from "../../domain/AliasMetrics.ts"
import { contentType } from "../../domain/AliasMetrics/openMetrics.ts"
import { DiagnosticRun, DiagnosticSummary } from "../../domain/Diagnostic.ts"
import { AgentName, AliasName, Labels, NetworkName, Port, SandboxName } from "../../domain/DnsLabel.ts"
import { FlowList } from "../../domain/Flow.ts"
import { AgentId, TokenId } from "../../domain/Ids.ts"
import { Alias, Attachment, Network, NetworkDetail, Resolution, Rule, TrafficMode } from "../../domain/Network.ts"
import { strictly } from "../../domain/PolicyFile.ts"
import * as Problem from "../../domain/Problems.ts"
import { Explanation, Reach } from "../../domain/Reachability.ts"
import { Change, Receipt, ReceiptUntil } from "../../domain/Receipt.ts"
import { Sandbox, SandboxSpec } from "../../domain/Sandbox.ts"
import { Trace } from "../../domain/Trace.ts"
import { Authorization } from "./Authorization.ts"
import { DebugGroup } from "./DebugApi.ts"
import { LimitsGroup } from "./LimitsApi.ts"
import { LocalNodesGroup } from "./LocalNodesApi.ts"
import { PublishersGroup } from "./PublishersApi.ts"
import { NewRule, PolicyGroup, Ref, tenYearsSeconds } from "./PolicyApi.ts"

const Count = Schema.NumberFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const PortNumber = Schema.NumberFromString.pipe(Schema.decodeTo(Port))

const changed = <S extends Schema.Top>(value: S) => Schema.Struct({ value, change: Change })
const network = { network: Ref }
const flag = Schema.optionalKey(Schema.Literals(["true", "false"]))

export class NetworksGroup extends HttpApiGroup.make("networks").add(
  HttpApiEndpoint.get("list", "/", { success: Schema.Array(Network), error: [Problem.StoreUnavailable] }),
  HttpApiEndpoint.post("create", "/", {
    payload: Schema.Struct({ name: NetworkName, mode: Schema.optionalKey(TrafficMode) }),
    success: changed(Network).pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkExists, Problem.ReservedNetwork, Problem.ModeNotSupported, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("show", "/:network", { params: network, success: NetworkDetail, error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.delete("remove", "/:network", {
    params: network, query: { cascade: flag }, success: changed(Network),
    error: [Problem.NetworkNotFound, Problem.NetworkNotEmpty, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.post("attach", "/:network/attachments", {
    params: network,
    payload: Schema.Struct({ sandbox: Ref, alias: Schema.optionalKey(AliasName), ports: Schema.Array(Port) }),
    success: changed(Attachment).pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkNotFound, Problem.SandboxNotFound, Problem.AliasTaken, Problem.ReservedAlias, Problem.InvalidRequest, Problem.AddressesExhausted, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.delete("detach", "/:network/attachments/:sandbox", {
    params: { ...network, sandbox: Ref }, success: changed(Attachment),
    error: [Problem.NetworkNotFound, Problem.SandboxNotFound, Problem.NotAttached, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("aliases", "/:network/aliases", { params: network, success: Schema.Array(Alias), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.post("addAlias", "/:network/aliases", {
    params: network, payload: Schema.Struct({ sandbox: Ref, alias: AliasName, ports: Schema.NonEmptyArray(Port) }),
    success: changed(Alias).pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkNotFound, Problem.SandboxNotFound, Problem.NotAttached, Problem.AliasTaken, Problem.ReservedAlias, Problem.AddressesExhausted, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.delete("removeAlias", "/:network/aliases/:alias", {
    params: { ...network, alias: Ref }, query: { port: Schema.optionalKey(PortNumber) },
    success: changed(Alias), error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.post("moveAlias", "/:network/aliases/:alias/move", {
    params: { ...network, alias: Ref }, payload: Schema.Struct({ sandbox: Ref }), success: changed(Alias),
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.SandboxNotFound, Problem.NotAttached, Problem.PublishedFromMachine, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("rules", "/:network/rules", { params: network, success: Schema.Array(Rule), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.post("allow", "/:network/rules", {
    params: network,
    /** Allowing the same again renews end and comment. */
    payload: NewRule,
    success: changed(Rule).pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.InvalidSelector, Problem.InvalidRequest, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.delete("revoke", "/:network/rules/:rule", {
    params: { ...network, rule: Ref }, success: changed(Rule), error: [Problem.NetworkNotFound, Problem.RuleNotFound, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("explain", "/:network/explanation", {
    params: network, query: { source: Ref, alias: AliasName, port: PortNumber }, success: Explanation,
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.InvalidSelector, Problem.StoreUnavailable]
  }),
  /** Who may reach what, by the rules: all pairs, or those from one source or to one alias and port. */
  HttpApiEndpoint.get("reachable", "/:network/reachable", {
    params: network, query: { source: Schema.optionalKey(Ref), alias: Schema.optionalKey(AliasName), port: Schema.optionalKey(PortNumber) }, success: Schema.Array(Reach),
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.InvalidSelector, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("resolve", "/:network/resolve/:alias", {
    params: { ...network, alias: Ref }, success: Resolution, error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.StoreUnavailable]
  }),
  /** Starts a run and answers at once, or when it is over but after at most `waitMs` (60000). */
  HttpApiEndpoint.post("test", "/:network/tests", {
    params: network, query: { waitMs: Schema.optionalKey(Count) }, payload: Schema.Struct({ source: Ref, alias: AliasName, port: Port }),
    success: DiagnosticRun.pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.InvalidSelector, Problem.TooManyRuns, Problem.StoreUnavailable]
  }),
  /** The newest first, at most a hundred. */
  HttpApiEndpoint.get("tests", "/:network/tests", { params: network, success: Schema.Array(DiagnosticSummary), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  /** A run as it stands. With `after`, the number of results that the reader has: waits at most `waitMs` (60000) for another one, or for the end. */
  HttpApiEndpoint.get("testRun", "/:network/tests/:run", {
    params: { ...network, run: Ref }, query: { after: Schema.optionalKey(Count), waitMs: Schema.optionalKey(Count) },
    success: DiagnosticRun, error: [Problem.NetworkNotFound, Problem.RunNotFound, Problem.StoreUnavailable]
  }),
  /** Ends a run; what it has found stays. One that is over stays as it is. */
  HttpApiEndpoint.delete("cancelTest", "/:network/tests/:run", {
    params: { ...network, run: Ref }, success: DiagnosticRun, error: [Problem.NetworkNotFound, Problem.RunNotFound, Problem.StoreUnavailable]
  }),
  /**
   * What the agents of the network know of its streams now: those that are open, those that ended `withinMs` back (default one hour), and with
   * `denied` only what was refused; at most `limit` of each (100, at most 1,000), the newest, and `cut` tells of what there is more. Refusals are
   * added up for each source, alias and port, unless they are to stay `apart`. Each agent has 5 s; one that does not answer says why in `problem`.
   */
  HttpApiEndpoint.get("flows", "/:network/flows", {
    params: network,
    query: {
      withinMs: Schema.optionalKey(Count), limit: Schema.optionalKey(Count), denied: flag, apart: flag,
      source: Schema.optionalKey(Ref), alias: Schema.optionalKey(AliasName), port: Schema.optionalKey(PortNumber)
    },
    success: FlowList, error: [Problem.NetworkNotFound, Problem.StoreUnavailable]
  }),
  /** Streams, refusals, bytes and times of each alias, as the agents have counted them since their start. */
  HttpApiEndpoint.get("metrics", "/:network/metrics", { params: network, success: NetworkMetrics, error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  /** Goes the way of a stream once, without sending the app a byte; answers within seconds. */
  HttpApiEndpoint.post("trace", "/:network/traces", {
    params: network, payload: Schema.Struct({ source: Ref, alias: AliasName, port: Port }), success: Trace,
    error: [Problem.NetworkNotFound, Problem.AliasNotFound, Problem.PortNotPublished, Problem.SandboxNotFound, Problem.InvalidSelector, Problem.TooManyRuns, Problem.StoreUnavailable]
  }),
  /**
   * Waits until every participant has applied `version` (or a later one), at most `timeoutMs` (default 0, at most 60000), then answers with what is true.
   * `until=ready` asks for more: each has also joined the mesh, and has applied the newest version, which names the nodes of all.
   */
  HttpApiEndpoint.get("receipt", "/:network/receipts/:version", {
    params: { ...network, version: Count }, query: { timeoutMs: Schema.optionalKey(Count), until: Schema.optionalKey(ReceiptUntil) },
    success: Receipt, error: [Problem.NetworkNotFound, Problem.StoreUnavailable]
  })
).middleware(Authorization).prefix("/api/v1/networks") {}

export class SandboxesGroup extends HttpApiGroup.make("sandboxes").add(
  HttpApiEndpoint.get("list", "/", { success: Schema.Array(Sandbox), error: [Problem.StoreUnavailable] }),
  /** Stores the sandbox, has the agent start it, and answers once it runs (or could not be started). Without `agent` the online agent with the fewest sandboxes takes it. */
  HttpApiEndpoint.post("run", "/", {
    payload: Schema.Struct({ name: SandboxName, agent: Schema.optionalKey(Ref), labels: Labels, spec: SandboxSpec, replace: Schema.Boolean }),
    success: Sandbox.pipe(HttpApiSchema.status(201)),
    error: [Problem.SandboxExists, Problem.AgentNotFound, Problem.AgentUnavailable, Problem.SandboxFailed, Problem.InvalidRequest, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.get("show", "/:sandbox", { params: { sandbox: Ref }, success: Sandbox, error: [Problem.SandboxNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.get("logs", "/:sandbox/logs", {
    params: { sandbox: Ref }, success: Schema.Struct({ text: Schema.String, truncated: Schema.Boolean }),
    error: [Problem.SandboxNotFound, Problem.AgentUnavailable, Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.post("stop", "/:sandbox/stop", { params: { sandbox: Ref }, success: Sandbox, error: [Problem.SandboxNotFound, Problem.AgentUnavailable, Problem.StoreUnavailable] }),
  /** Stops it if it runs, detaches it everywhere (its aliases and rules go with it) and frees its name. An unreachable agent stops it when it returns. */
  HttpApiEndpoint.delete("remove", "/:sandbox", {
    params: { sandbox: Ref }, success: Schema.Struct({ value: Sandbox, changes: Schema.Array(Change) }), error: [Problem.SandboxNotFound, Problem.StoreUnavailable]
  })
).middleware(Authorization).prefix("/api/v1/sandboxes") {}

export class AgentsGroup extends HttpApiGroup.make("agents").add(
  HttpApiEndpoint.get("list", "/", { success: Schema.Array(Agent), error: [Problem.StoreUnavailable] }),
  HttpApiEndpoint.get("show", "/:agent", { params: { agent: Ref }, success: Agent, error: [Problem.AgentNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.delete("remove", "/:agent", { params: { agent: Ref }, success: Agent, error: [Problem.AgentNotFound, Problem.AgentInUse, Problem.StoreUnavailable] })
).middleware(Authorization).prefix("/api/v1/agents") {}

export class TokensGroup extends HttpApiGroup.make("tokens").add(
  HttpApiEndpoint.get("list", "/", { success: Schema.Array(Token), error: [Problem.StoreUnavailable] }),
  HttpApiEndpoint.post("create", "/", {
    payload: Schema.Struct({ kind: TokenKind, name: Ref, ttlSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: tenYearsSeconds }, { message: "seconds, at most ten years" }))) }),
    success: NewToken.pipe(HttpApiSchema.status(201)), error: [Problem.StoreUnavailable]
  }),
  HttpApiEndpoint.delete("revoke", "/:token", { params: { token: TokenId }, success: Token, error: [Problem.TokenNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.get("whoami", "/self", { success: Schema.Struct({ name: Schema.String }) })
).middleware(Authorization).prefix("/api/v1/tokens") {}

/** An agent trades a single-use enrolment token for a credential of its own. No other authentication. */
export class EnrolmentGroup extends HttpApiGroup.make("enrolment").add(
  HttpApiEndpoint.post("enrol", "/", {
    payload: Schema.Struct({ token: Ref, name: AgentName }),
    success: Schema.Struct({ agentId: AgentId, name: AgentName, credential: Schema.String }).pipe(HttpApiSchema.status(201)),
    error: [Problem.EnrolmentRefused, Problem.StoreUnavailable]
  })
).prefix("/api/v1/enrolments") {}

/** The figures of all networks as OpenMetrics text; a scraper logs in with a user's token. */
export class MetricsGroup extends HttpApiGroup.make("metrics").add(
  HttpApiEndpoint.get("all", "/", { success: Schema.String.pipe(HttpApiSchema.asText({ contentType })), error: [Problem.StoreUnavailable] })
).middleware(Authorization).prefix("/api/v1/metrics") {}

export class Api extends HttpApi.make("gstacks")
  .add(NetworksGroup, PolicyGroup, LimitsGroup, LocalNodesGroup, PublishersGroup, SandboxesGroup, AgentsGroup, TokensGroup, EnrolmentGroup, MetricsGroup, DebugGroup)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotate(HttpApi.PayloadParseOptions, strictly)
  .annotate(HttpApi.QueryParseOptions, strictly)
  .annotateMerge(OpenApi.annotations({ title: "gstacks networks", version: "1" })) {}
