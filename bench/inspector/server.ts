/** A supervisor with live alias listeners that change all the time, and the inspector page as an agent serves it. Prints the page's address; ends with its standard input. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schedule } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import { Sight } from "../../src/actors/sight/Sight.ts"
import * as Routes from "../../src/agent/inspector/Routes.ts"
import { populate } from "../actors/Population.ts"
import { root } from "../tools.ts"

const [actors, changes] = process.argv.slice(2).map(Number) as [number, number]
const everyMs = 20
const token = "of-a-benchmark"

await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const population = yield* populate({ hibernates: false })
  yield* Effect.repeat(population.add, { times: actors - 1 })
  const node = createServer()
  const services = yield* Layer.build(Layer.merge(NodeHttpServer.layerHttpServices, Layer.succeed(Sight, population.sight)))
  yield* Effect.gen(function*() {
    const app = yield* HttpRouter.toHttpEffect(Routes.layer({ token, folder: `${root}dist/inspector`, agent: "host-1" }))
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port: 0, disablePreemptiveShutdown: true })
    yield* server.serve(app)
    if ("port" in server.address) console.log(`http://127.0.0.1:${server.address.port}/inspector/#token=${token}`)
  }).pipe(Effect.provideContext(services))
  let next = 0
  const change = Effect.suspend(() => {
    const round = Math.floor(next / actors)
    const address = population.addresses[next++ % actors]!
    return population.actors.send(address, { type: round % 2 === 0 ? "alias.permitted" : "alias.unpermitted" })
  })
  process.stdin.resume().once("end", () => process.exit(0))
  yield* Effect.repeat(Effect.repeat(change, { times: changes * everyMs / 1000 - 1 }), Schedule.fixed(everyMs))
})))
