/** The same tests on both databases: the embedded PGlite, and a real PostgreSQL. */
import { describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import type { DatabaseSource } from "../../src/control/sql/Database.ts"
import { Principal } from "../../src/protocol/http/Authorization.ts"
import { pgliteTemplate } from "../harness/pgliteTemplate.ts"
import { postgres } from "../harness/postgres.ts"

const operator = Layer.succeed(Principal, { name: "operator" })

const controlPlane = (database: DatabaseSource) => ControlPlane.layer({ database, mesh: { _tag: "None" }, stateDir: "/nonexistent" })
const embedded = Layer.unwrap(Effect.map(Effect.promise(pgliteTemplate), (template) => controlPlane({ _tag: "Memory", template })))
const server = Layer.unwrap(Effect.gen(function*() {
  const { database } = yield* postgres
  return controlPlane({ _tag: "Url", url: yield* database })
}))

type Services = Layer.Success<typeof embedded> | Principal
type Methods = Parameters<Parameters<ReturnType<typeof layer<Services, unknown>>>[1]>[0]

export const onBothDatabases = (name: string, tests: (it: Methods) => void): void => {
  describe(name, () => {
    layer(Layer.merge(embedded, operator), { timeout: "2 minutes", excludeTestServices: true })("on PGlite", (it) => tests(it as Methods))
    layer(Layer.merge(server, operator), { timeout: "2 minutes", excludeTestServices: true })("on PostgreSQL", (it) => tests(it as Methods))
  })
}
