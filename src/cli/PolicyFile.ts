/** A policy file as commands take it: read within bounds, checked, and the control plane's complaints put beside the lines that they are about. */
import { Effect, Result, Schema } from "effect"
import { readFile, stat } from "node:fs/promises"
import type { PolicyFile } from "../domain/PolicyFile.ts"
import { failed, Failure, usage } from "./Failure.ts"
import { piped } from "./piped.ts"
import type { Path, Place, Wrong } from "./PolicyFile/parse.ts"

/** Largest file, in bytes; a request may have as many. */
const maxBytes = 1 << 20
const mostShown = 20

const reasons: Readonly<Record<string, string>> = { ENOENT: "it does not exist", EACCES: "permission denied", EISDIR: "it is a folder", ENOTDIR: "a part of its path is no folder" }
const why = (error: unknown): string => reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message
const unreadable = (file: string, reason: string, network: string): Failure =>
  failed("policy-unreadable", "The policy file cannot be read", `${file} cannot be read: ${reason}`, `make one: gstacks network policy export ${network} > policy.yaml`)

const textOf = (file: string) => file === "-" ? piped(maxBytes) : Effect.tryPromise({
  try: async () => {
    const info = await stat(file)
    if (info.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" })
    if (!info.isFile()) throw new Error("it is no ordinary file; use - for standard input") // a device may have no end
    return info.size > maxBytes ? " ".repeat(maxBytes + 1) : readFile(file, "utf8")
  },
  catch: why
})

const described = (name: string, wrong: ReadonlyArray<Wrong>): string => [
  ...wrong.slice(0, mostShown).map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`),
  ...(wrong.length > mostShown ? [`and ${wrong.length - mostShown} more`] : [])
].join("\nerror: ")

const Refused = Schema.Struct({
  type: Schema.Literal("urn:gstacks:problem:invalid-policy"),
  errors: Schema.Array(Schema.Struct({ path: Schema.Array(Schema.Union([Schema.String, Schema.Int])), message: Schema.String }))
})
const isRefused = Schema.is(Refused)

export interface ReadPolicy {
  readonly policy: PolicyFile
  /** Puts what the control plane finds wrong in the file beside its lines. */
  readonly explain: (failure: Failure) => Failure
}

export const read = Effect.fn("PolicyFile.read")(function*(file: string, network: string) {
  const name = file === "-" ? "standard input" : file
  const text = yield* Effect.mapError(textOf(file), (reason) => unreadable(name, reason, network))
  if (Buffer.byteLength(text) > maxBytes) return yield* unreadable(name, `it has more than ${maxBytes} bytes`, network)
  const { parsePolicy } = yield* Effect.promise(() => import("./PolicyFile/parse.ts"))
  const parsed = parsePolicy(text)
  if (Result.isFailure(parsed)) return yield* usage(described(name, parsed.failure), `see the form of a file: gstacks network policy export ${network}`)
  const { policy, placeOf } = parsed.success
  return { policy, explain: (failure) => located(name, placeOf, failure) } satisfies ReadPolicy
})

const located = (name: string, placeOf: (path: Path) => Place, failure: Failure): Failure => {
  const { problem, exitCode } = failure
  if (!isRefused(problem)) return failure
  return new Failure({ problem: { ...problem, detail: described(name, problem.errors.map(({ path, message }) => ({ ...placeOf(path), message }))) } as Failure["problem"], exitCode })
}
