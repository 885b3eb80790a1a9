/** A control plane that agents connect to over real WebSockets, and networks with a sandbox on each of them. */
import { Context, Effect, Layer, Schema } from "effect"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import { controlPlane, serve, temporaryFolder } from "./server.ts"

export class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof serve>>>()("test/Server") {}
export const server = Layer.unwrap(Effect.gen(function*() {
  const folder = yield* temporaryFolder
  return Layer.provideMerge(Layer.effect(Server, serve(folder)), controlPlane(folder))
}))

let counter = 0
export const fresh = (prefix: string): string => `${prefix}-${++counter}`
export const port = Schema.decodeSync(Port)(8080)
export const api = AliasName.make("api")

/** A network, and a sandbox on each of the agents. */
export const scene = Effect.fnUntraced(function*(hosts: ReadonlyArray<{ readonly name: string }>) {
  const { api: http } = yield* Server
  const network = NetworkName.make(fresh("net"))
  const { value } = yield* http.networks.create({ payload: { name: network } })
  const sandboxes = yield* Effect.forEach(hosts, (host) => http.sandboxes.run({
    payload: { name: SandboxName.make(fresh("box")), agent: host.name, labels: {}, replace: false, spec: { command: ["true"], env: {}, binds: [] } }
  }))
  const attach = (index: number, alias?: AliasName) => http.networks.attach({
    params: { network }, payload: { sandbox: sandboxes[index]!.name, ...(alias === undefined ? {} : { alias }), ports: alias === undefined ? [] : [port] }
  })
  const receipt = (version: number, timeoutMs = 5000) => http.networks.receipt({ params: { network, version }, query: { timeoutMs } })
  return { network, id: value.id, sandboxes, attach, receipt }
})
