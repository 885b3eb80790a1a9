/** A control plane that developers' machines join: tokens, joins and one network in memory, and levers for what can go wrong. */
import { Effect, Layer } from "effect"
import type { Client } from "../../src/cli/ControlApi/client.ts"
import { failed, Failure } from "../../src/cli/Failure.ts"
import { AliasName, NetworkName, Port } from "../../src/domain/DnsLabel.ts"
import { AgentId, AliasId, LocalNodeId, NetworkId, RuleId, SandboxId } from "../../src/domain/Ids.ts"
import { UserName } from "../../src/domain/Selector.ts"
import type { Topology } from "../../src/domain/Topology.ts"
import { VirtualAddress } from "../../src/domain/VirtualAddress.ts"
import { type Account, ControlPlanes } from "../../src/local/ControlPlanes.ts"
import type { LocalGrant, Renewal } from "../../src/protocol/http/LocalNodesApi.ts"

interface Join { readonly id: LocalNodeId; readonly user: string; readonly network: string; readonly networkId: NetworkId; expiresAt: number; ended: "revoked" | "left" | "expired" | undefined }

const padded = (prefix: string, n: number): string => `${prefix}_${String(n).padStart(18, "0")}`
const refusal = (name: string, status: number, exitCode: number, detail: string, hint: string, more: object = {}) =>
  new Failure({ problem: { type: `urn:gstacks:problem:${name}`, title: name, detail, hint, status, ...more }, exitCode })

export class FakeControlPlane {
  /** Users by their tokens. */
  readonly tokens = new Map([["ann's", "ann"], ["ann's second", "ann"], ["bob's", "bob"]])
  readonly joins: Array<Join> = []
  /** As `localNodes.renew ann's`. */
  readonly calls: Array<string> = []
  /** Cannot be reached. */
  away = false
  /** Methods that never answer. */
  readonly hang = new Set<string>()
  lifetimeMs = 3_600_000
  version = 1

  /** What is there for `network`. */
  living(network = "dev"): ReadonlyArray<Join> { return this.joins.filter((join) => join.network === network && join.ended === undefined) }
  end(reason: "revoked" | "expired" = "revoked"): void { for (const join of this.joins) join.ended ??= reason }
  callsOf(method: string): ReadonlyArray<string> { return this.calls.filter((call) => call.startsWith(`${method} `)) }

  /** `api:8080` at `host-1`, which every local machine may reach. */
  topology({ expiresAt, id, network, networkId, user }: Join): Topology {
    const aliasId = AliasId.make(padded("als", 1))
    return {
      networkId, name: NetworkName.make(network), version: this.version, members: [],
      aliases: [{
        id: aliasId, name: AliasName.make("api"), address: VirtualAddress.make("127.64.1.1"), sandboxId: SandboxId.make(padded("sbx", 1)), agentId: AgentId.make(padded("agt", 1)), ports: [Port.make(8080)]
      }],
      agents: [{ id: AgentId.make(padded("agt", 1)), name: "host-1", node: { id: "n-host-1", address: "100.64.0.1" } }] as never,
      rules: [{ id: RuleId.make(padded("rul", 1)), source: { _tag: "Local" }, aliasId, port: Port.make(8080) }] as never,
      localNodes: [{ id, user: UserName.make(user), nodeId: "n-1", address: "100.64.0.9", expiresAt }]
    }
  }

  readonly layer = Layer.sync(ControlPlanes, () => ControlPlanes.of({
    call: (account, request, timeoutMs = 15_000) => (request(this.#client(account)) as Effect.Effect<any, Failure>).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(failed("control-silent", "No answer", `no answer within ${timeoutMs / 1000} s`, "gstacks doctor")) }))
  }))

  #join(id: string, user: string, network: string): Effect.Effect<Join, Failure> {
    const join = this.joins.find((candidate) => candidate.id === id && candidate.user === user)
    if (join === undefined) return Effect.fail(refusal("local-node-not-found", 404, 3, `There is no join ${id}.`, "gstacks network show dev"))
    return join.ended === undefined ? Effect.succeed(join)
      : Effect.fail(refusal("local-node-ended", 410, 1, `The join ${id} of network "${network}" was ${join.ended}.`, `Join again: gstacks mesh join ${network}`, { reason: join.ended }))
  }

  #client({ token }: Account): Client {
    const asked = <A>(method: string, answer: (user: string) => Effect.Effect<A, Failure>) => Effect.suspend((): Effect.Effect<A, Failure> => {
      this.calls.push(`${method} ${token}`)
      if (this.away) return Effect.fail(failed("control-unreachable", "Not reachable", "the control plane cannot be reached", "gstacks doctor"))
      if (this.hang.has(method)) return Effect.never
      const user = this.tokens.get(token)
      return user === undefined ? Effect.fail(refusal("unauthorized", 401, 4, "The token is not known.", "gstacks login")) : answer(user)
    })
    const localNodes = {
      join: ({ params: { network } }: { readonly params: { readonly network: string } }) => asked("join", (user) => Effect.sync((): LocalGrant => {
        const number = this.joins.length + 1
        const join: Join = { id: LocalNodeId.make(padded("lcl", number)), user, network, networkId: NetworkId.make(`net_${network.padStart(18, "0")}`), expiresAt: Date.now() + this.lifetimeMs, ended: undefined }
        for (const before of this.living(network)) before.ended = "left"
        this.joins.push(join)
        return { id: join.id, networkId: join.networkId, network: NetworkName.make(network), user, expiresAt: new Date(join.expiresAt).toISOString(), grant: { authKey: `key-${number}`, controlUrl: "http://mesh", hostname: "laptop", expiresAt: join.expiresAt } }
      })),
      joined: ({ params: { localNode, network } }: Named) => asked("joined", (user) => Effect.map(this.#join(localNode, user, network), ({ expiresAt }) => ({ expiresAt: new Date(expiresAt).toISOString() }))),
      renew: ({ params: { localNode, network }, payload: { after, waitMs } }: Named & { readonly payload: { readonly after: number; readonly waitMs: number } }) => asked("renew", (user) => Effect.gen({ self: this }, function*() {
        for (const deadline = Date.now() + waitMs; this.version === after && Date.now() < deadline && !this.away;) {
          yield* this.#join(localNode, user, network)
          yield* Effect.sleep(10)
        }
        const join = yield* this.#join(localNode, user, network)
        return { expiresAt: new Date(join.expiresAt).toISOString(), topology: this.version === after ? null : this.topology(join) } satisfies Renewal
      })),
      publish: () => asked("publish", () => Effect.fail(refusal("publishing-not-allowed", 403, 1, "Nobody may publish here.", "gstacks network publisher allow"))),
      unpublish: () => asked("unpublish", () => Effect.void),
      answer: () => asked("answer", () => Effect.void),
      end: ({ params: { localNode } }: Named) => asked("end", () => Effect.sync(() => { for (const join of this.joins) if (join.id === localNode) join.ended ??= "left" }))
    }
    return { localNodes } as unknown as Client
  }
}
interface Named { readonly params: { readonly localNode: string; readonly network: string } }
