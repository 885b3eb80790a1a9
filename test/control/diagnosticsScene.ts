/** What tests of `network test` work with: `web` on one host, `backend` with the alias on another, and developers' machines. */
import { Context, Effect, Layer, Option, Schema, SubscriptionRef } from "effect"
import { Mesh } from "../../src/control/Mesh.ts"
import type { CheckResult } from "../../src/domain/Diagnostic.ts"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { MachineId, makeId } from "../../src/domain/Ids.ts"
import type { Hop } from "../../src/domain/Trace.ts"
import type { LocalAnswer, LocalQuestion } from "../../src/protocol/http/LocalNodesApi.ts"
import { fakeHeadscale } from "../harness/fakeHeadscale.ts"
import { clientOf, controlPlane, serve, temporaryFolder } from "./server.ts"

export class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/DiagnosticsServer") {}
export const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

export const port = Schema.decodeSync(Port)(8080)
export const alias = AliasName.make("api")
export const fine = (check: string, role: string): CheckResult => ({ check: check as CheckResult["check"], outcome: "pass", agent: null, reason: role, next: null, micros: 1 })
let counter = 0
export const fresh = (prefix: string): string => `${prefix}-${++counter}`

/** `web` on one host, `backend` with the alias on another. */
export const scene = Effect.fnUntraced(function*(answer: (check: string, role: string) => Effect.Effect<CheckResult> = (check, role) => Effect.succeed(fine(check, role))) {
  const { agent, api } = yield* Server
  const asked: Array<string> = []
  const traceAnswers = new Map<string, ReadonlyArray<Hop>>()
  const traceGates = new Map<string, Effect.Effect<void>>()
  const overrides = (host: string) => ({
    Trace: () => Effect.andThen(Effect.suspend(() => traceGates.get(host) ?? Effect.void), Effect.sync(() => traceAnswers.get(host))),
    RunCheck: ({ check, role, source }: { check: string; role: string; source: string | null }) => {
      asked.push(`${host} ${role} ${check}${source === null ? " local" : ""}`)
      return answer(check, role)
    }
  } as never)
  const hosts = [yield* agent(fresh("host"), { overrides: overrides("a") }), yield* agent(fresh("host"), { overrides: overrides("b") })]
  const network = NetworkName.make(fresh("net"))
  yield* api.networks.create({ payload: { name: network } })
  const [web, backend] = yield* Effect.forEach(hosts, (host) => api.sandboxes.run({
    payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: { tier: "all" }, replace: false, spec: { command: ["true"], env: {}, binds: [] } }
  }))
  yield* api.networks.attach({ params: { network }, payload: { sandbox: web!.name, ports: [] } })
  yield* api.networks.attach({ params: { network }, payload: { sandbox: backend!.name, alias, ports: [port] } })
  const start = (source: string) => api.networks.test({ params: { network }, query: {}, payload: { source, alias, port } })
  const read = (run: string, query = {}) => api.networks.testRun({ params: { network, run }, query })
  const test = (source: string) => api.networks.test({ params: { network }, query: { waitMs: 20_000 }, payload: { source, alias, port } })
  const allow = (from: string) => Effect.map(api.networks.allow({ params: { network }, payload: { from, to: alias, port } }), ({ value }) => value.id)
  return { web: web!, backend: backend!, network, asked, start, read, test, allow, hosts, traceAnswers, traceGates }
})

const headscale = fakeHeadscale()

/** A developer's machine that has joined, as far as the control plane can tell. */
export const laptop = Effect.fnUntraced(function*(network: NetworkName, user: string) {
  const { api, url } = yield* Server
  yield* SubscriptionRef.set((yield* Mesh).current, Option.some(headscale.api))
  const { secret } = yield* api.tokens.create({ payload: { kind: "user", name: user } })
  const mine = yield* clientOf(url, secret)
  const machine = yield* makeId(MachineId, "mch")
  const { grant, id } = yield* mine.localNodes.join({ params: { network }, payload: { machine, name: "laptop" } })
  headscale.enter(grant.authKey)
  yield* mine.localNodes.joined({ params: { network, localNode: id }, payload: { machine } })
  const answer = ({ id: question }: LocalQuestion, answer: LocalAnswer, by = mine) =>
    by.localNodes.answer({ params: { network, localNode: id }, payload: { machine, question, answer } })
  let after = 0
  return {
    user, client: mine, answer,
    /** Until the test ends. */
    answering: (say: (question: LocalQuestion) => LocalAnswer) => Effect.forkScoped(Effect.forever(Effect.flatMap(
      mine.localNodes.renew({ params: { network, localNode: id }, payload: { machine, after, waitMs: 30_000 } }),
      ({ questions = [], topology }) => {
        after = topology?.version ?? after
        return Effect.forEach(questions, (question) => answer(question, say(question)))
      }
    )))
  }
})
