/** Turns whatever a call fails with into what, why and the next command. */
import { Effect, Schema } from "effect"
import { HttpClientError } from "effect/http"
import { exitCodeOf } from "../../domain/Problems.ts"
import { failed, Failure } from "../Failure.ts"

const Problem = Schema.StructWithRest(
  Schema.Struct({ type: Schema.optionalKey(Schema.String), title: Schema.String, status: Schema.Int, detail: Schema.optionalKey(Schema.String), hint: Schema.optionalKey(Schema.String) }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)
const isProblem = Schema.is(Problem)

const fromProblem = ({ type, title, status, detail, hint, ...rest }: typeof Problem.Type): Failure =>
  new Failure({
    problem: { type: type ?? "about:blank", title, status, detail: detail ?? title, hint: hint ?? (status >= 500 ? "gstacks doctor" : "check the command with --help"), ...rest },
    exitCode: exitCodeOf(status)
  })

/** The own enumerable members of a decoded problem, which is an Error by class. */
const members = (error: unknown): unknown => {
  if (typeof error !== "object" || error === null) return error
  const { _tag: _, ...rest } = { ...error } as Record<string, unknown>
  return rest
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused", ENOENT: "the socket does not exist", EACCES: "permission denied", ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be looked up", ECONNRESET: "the connection was reset", EHOSTUNREACH: "no route to the host", ENETUNREACH: "no route to the network"
}

const why = (cause: unknown): string => {
  const error = cause as NodeJS.ErrnoException | undefined
  return reasons[error?.code ?? ""] ?? error?.message ?? "no answer"
}

const reach = "check that it runs (gstacks control) and the address (gstacks context list, --url, GSTACKS_URL); how the agents on this host go on without it: gstacks doctor"

export const unreachable = (url: string, cause: unknown): Failure =>
  failed("control-unreachable", "The control plane cannot be reached", `the control plane at ${url} cannot be reached: ${why(cause)}`, reach)

export const silent = (url: string, timeoutMs: number): Failure =>
  failed("control-silent", "The control plane does not answer", `the control plane at ${url} did not answer within ${timeoutMs / 1000} s`, reach)

const strange = (url: string, what: string): Failure =>
  failed("not-understood", "The answer was not understood", `${url} answered something this command does not understand: ${what}`, "check that the address is a gstacks control plane of the same version: gstacks doctor")

export const toFailure = (error: unknown, url: string): Effect.Effect<Failure> => {
  const own = members(error)
  if (isProblem(own)) return Effect.succeed(fromProblem(own))
  if (!HttpClientError.isHttpClientError(error)) return Effect.succeed(strange(url, error instanceof Error ? error.message : String(error)))
  const { response } = error
  if (response === undefined) return Effect.succeed(unreachable(url, error.reason.cause))
  return Effect.map(Effect.option(response.json), (body) =>
    body._tag === "Some" && isProblem(body.value) ? fromProblem(body.value) : strange(url, `HTTP status ${response.status}`))
}
