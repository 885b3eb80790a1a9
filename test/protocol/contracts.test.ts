/** Properties that every message of the contracts must have, whatever it says. */
import { assert, describe, it } from "@effect/vitest"
import { OpenApi } from "effect/http-api"
import * as Problems from "../../src/domain/Problems.ts"
import { Api } from "../../src/protocol/http/Api.ts"

const problems = Object.entries(Problems).filter(([name]) => /^[A-Z]/.test(name)) as unknown as ReadonlyArray<[string, new (fields: object) => { readonly _tag: string; readonly status: number; readonly type: string; readonly title: string }]>

describe("problems", () => {
  const made = problems.map(([name, Problem]) => ({ name, problem: new Problem({ detail: "d", hint: "h", sandbox: "s", reason: "left", errors: [] }) }))
  it("each has a type of its own that follows from its name, a status and a title", () => {
    assert.isAbove(made.length, 20)
    assert.strictEqual(new Set(made.map(({ problem }) => problem.type)).size, made.length)
    for (const { name, problem } of made) {
      assert.strictEqual(problem._tag, name)
      assert.strictEqual(problem.type, `urn:gstacks:problem:${name.replace(/(?<!^)[A-Z]/g, "-$&").toLowerCase()}`)
      assert.isTrue(problem.status >= 400 && problem.status < 600)
      assert.isAbove(problem.title.length, 5)
    }
  })
  it("exit codes: usage, not found, login, everything else", () => {
    assert.deepStrictEqual([400, 404, 401, 409, 503].map(Problems.exitCodeOf), [2, 3, 4, 1, 1])
  })
})

describe("HTTP API", () => {
  it("every path but enrolment asks for a token, and every operation has a name of its own", () => {
    const operations = Object.entries(OpenApi.fromApi(Api).paths).flatMap(([path, item]) =>
      Object.values(item as Record<string, { readonly operationId: string; readonly security: ReadonlyArray<unknown> }>).map((operation) => ({ path, ...operation })))
    assert.strictEqual(new Set(operations.map((operation) => operation.operationId)).size, operations.length)
    for (const { path, security } of operations) assert.strictEqual(security.length > 0, path !== "/api/v1/enrolments", path)
  })
})
