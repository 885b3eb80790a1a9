/**
 * Joining a network from a developer's machine. The user's token is traded for a key that lets one node in, once; the token is asked
 * for again at each renewal, so the right ends with it. `machine` is the id that the machine chose at random: a join belongs to it.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { CheckName, CheckResult } from "../../domain/Diagnostic.ts"
import { AliasName, NetworkName, Port } from "../../domain/DnsLabel.ts"
import { MachineId, LocalNodeId, NetworkId, QuestionId } from "../../domain/Ids.ts"
import { LocalNode, MachineName } from "../../domain/LocalNode.ts"
import { Alias } from "../../domain/Network.ts"
import * as Problem from "../../domain/Problems.ts"
import { ForSeconds } from "../../domain/Publication.ts"
import { Change } from "../../domain/Receipt.ts"
import { Topology } from "../../domain/Topology.ts"
import { Hop, hopNames } from "../../domain/Trace.ts"
import { JoinGrant } from "../agent/ControlRpcs.ts"
import { Authorization } from "./Authorization.ts"

const network = { network: Schema.String }
const node = { ...network, localNode: Schema.String }
const machine = { machine: MachineId }
const published = Schema.Struct({ value: Alias, change: Change })

/** The key works once, for five minutes. */
export const LocalGrant = Schema.Struct({ id: LocalNodeId, networkId: NetworkId, network: NetworkName, user: Schema.String, expiresAt: Schema.String, grant: JoinGrant })
export type LocalGrant = typeof LocalGrant.Type

/** What `network test` and `network trace` ask a joined machine, which is their source. */
const about = { id: QuestionId, alias: Schema.String, port: Schema.Int, version: Schema.Int }
export const LocalQuestion = Schema.Union([
  Schema.TaggedStruct("Check", { ...about, check: CheckName }), Schema.TaggedStruct("Trace", { ...about, firstByteMs: Schema.Int })
])
export type LocalQuestion = typeof LocalQuestion.Type
export const LocalAnswer = Schema.Union([
  Schema.TaggedStruct("Check", { result: CheckResult }), Schema.TaggedStruct("Trace", { hops: Schema.Array(Hop).check(Schema.isMaxLength(hopNames.length)) })
])
export type LocalAnswer = typeof LocalAnswer.Type

/** `topology` null: nothing newer than what the machine has. It holds what the machine may use, and no more. `questions` are to be answered. */
export const Renewal = Schema.Struct({ expiresAt: Schema.String, topology: Schema.NullOr(Topology), questions: Schema.optionalKey(Schema.Array(LocalQuestion)) })
export type Renewal = typeof Renewal.Type

export class LocalNodesGroup extends HttpApiGroup.make("localNodes").add(
  HttpApiEndpoint.get("list", "/:network/local-nodes", { params: network, success: Schema.Array(LocalNode), error: [Problem.NetworkNotFound, Problem.StoreUnavailable] }),
  HttpApiEndpoint.post("join", "/:network/local-nodes", {
    params: network, payload: Schema.Struct({ ...machine, name: MachineName }), success: LocalGrant.pipe(HttpApiSchema.status(201)),
    error: [Problem.NetworkNotFound, Problem.TooManyLocalNodes, Problem.MeshUnavailable, Problem.InvalidRequest, Problem.StoreUnavailable]
  }),
  /** The node is up: it is looked up by the key that was minted, and published to the agents. */
  HttpApiEndpoint.post("joined", "/:network/local-nodes/:localNode/joined", {
    params: node, payload: Schema.Struct(machine), success: LocalNode,
    error: [Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.MeshUnavailable, Problem.StoreUnavailable]
  }),
  /** Says that the machine is there. Answers at once when the network's version is not `after` or something is asked, else with the next one, or after `waitMs` (at most 30000). */
  HttpApiEndpoint.post("renew", "/:network/local-nodes/:localNode/renewal", {
    params: node, payload: Schema.Struct({ ...machine, after: Schema.Int, waitMs: Schema.Int }), success: Renewal,
    error: [Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.StoreUnavailable]
  }),
  /** Makes a port of the machine an alias, for so long, and no longer than it is joined. Publishing it again sets the end anew. */
  HttpApiEndpoint.post("publish", "/:network/local-nodes/:localNode/aliases", {
    params: node, payload: Schema.Struct({ ...machine, alias: AliasName, port: Port, forSeconds: ForSeconds }), success: published.pipe(HttpApiSchema.status(201)),
    error: [
      Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.PublishingNotAllowed, Problem.TooManyPublished, Problem.AliasTaken, Problem.PublishedFromMachine,
      Problem.ReservedAlias, Problem.AddressesExhausted, Problem.StoreUnavailable
    ]
  }),
  HttpApiEndpoint.delete("unpublish", "/:network/local-nodes/:localNode/aliases/:alias", {
    params: { ...node, alias: Schema.String }, query: machine, success: published,
    error: [Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.AliasNotFound, Problem.StoreUnavailable]
  }),
  /** To a question of a renewal. One that nobody waits for any more is dropped. */
  HttpApiEndpoint.post("answer", "/:network/local-nodes/:localNode/answers", {
    params: node, payload: Schema.Struct({ ...machine, question: QuestionId, answer: LocalAnswer }),
    error: [Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.StoreUnavailable]
  }),
  /** With its own `machine` it leaves; otherwise somebody revokes it. */
  HttpApiEndpoint.delete("end", "/:network/local-nodes/:localNode", {
    params: node, query: { machine: Schema.optionalKey(MachineId) }, success: LocalNode,
    error: [Problem.NetworkNotFound, Problem.LocalNodeNotFound, Problem.LocalNodeEnded, Problem.StoreUnavailable]
  })
).middleware(Authorization).prefix("/api/v1/networks") {}
