/** Requests that never reach a handler answer with a problem document too: one that does not decode, and one for no known path. */
import { Effect, SchemaIssue } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiError, HttpApiMiddleware } from "effect/http-api"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const segment = (part: PropertyKey | { readonly key: PropertyKey }): string | number => {
  const key = typeof part === "object" ? part.key : part
  return typeof key === "number" ? key : String(key)
}

/** `detail` is for people ("name: a DNS label: ..."), `errors` names each place for programs. */
export const requestProblems = HttpApiMiddleware.layerSchemaErrorTransform(HttpApiMiddleware.ProblemDetails, (error) => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") return Effect.die(error) // an answer of ours that breaks the contract
  const slot = error.kind.toLowerCase()
  const errors = formatIssues(error.cause.issue).issues.map((issue) => ({ path: [slot, ...(issue.path ?? []).map(segment)], message: issue.message }))
  const detail = errors.map(({ path, message }) => path.length > 1 ? `${path.slice(1).join(".")}: ${message}` : message).join("; ")
  return Effect.fail(new HttpApiError.BadRequestProblem({ detail, errors }))
})

export const problem = (status: number, title: string, detail: string, hint: string) =>
  HttpServerResponse.jsonUnsafe({ type: "about:blank", status, title, detail, hint }, { status, contentType: "application/problem+json" })

export const unknownRoute = HttpRouter.add("*", "*", Effect.gen(function*() {
  const { method, url } = yield* HttpServerRequest.HttpServerRequest
  return problem(404, "Not Found", `There is nothing at ${method} ${url.split("?")[0]}.`, "The API is described at /openapi.json.")
}))

export const unauthorized = (detail: string, hint: string) => problem(401, "Unauthorized", detail, hint)
