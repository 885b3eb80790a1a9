/**
 * How a command fails: a problem document (what, why, next command) and the exit code that follows from it.
 * 0 ok, 1 failed, 2 usage, 3 not found, 4 login needed, 5 denied, 6 wait timed out, 125 `exec` itself failed, 130 interrupted.
 */
import { Data } from "effect"

/** RFC 9457, with the next command in `hint`. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly detail: string
  readonly hint: string
  readonly [member: string]: unknown
}

export class Failure extends Data.TaggedError("Failure")<{
  readonly problem: ProblemDocument
  readonly exitCode: number
  /** With `--json`, whether a document of the result is on stdout already; the problem then goes to stderr only. */
  readonly resultShown?: boolean
}> {
  override get message() {
    return this.problem.detail
  }
}

/** The command did its work and showed it; its verdict is an exit code. */
export class ExitWith extends Data.TaggedError("ExitWith")<{ readonly code: number }> {}

const problem = (name: string, title: string, detail: string, hint: string): ProblemDocument =>
  ({ type: `urn:gstacks:problem:${name}`, title, detail, hint })

export const usage = (detail: string, hint: string): Failure =>
  new Failure({ problem: problem("usage", "The command is not valid", detail, hint), exitCode: 2 })

export const needsYes = (what: string, command: string): Failure =>
  new Failure({ problem: problem("confirmation-needed", "A confirmation is needed", `${what}, and there is no terminal to ask at`, `${command} --yes`), exitCode: 2 })

export const declined = (what: string): Failure =>
  new Failure({ problem: problem("declined", "Not confirmed", `${what}; not confirmed, so nothing was changed`, "answer y, or pass --yes"), exitCode: 1 })

export const notFound = (name: string, detail: string, hint: string): Failure =>
  new Failure({ problem: problem(name, "Not found", detail, hint), exitCode: 3 })

export const loginNeeded = (detail: string, hint: string): Failure =>
  new Failure({ problem: problem("unauthorized", "Login needed", detail, hint), exitCode: 4 })

export const waitTimedOut = (detail: string, hint: string): Failure =>
  new Failure({ problem: problem("wait-timed-out", "Not applied in time", detail, hint), exitCode: 6, resultShown: true })

export const failed = (name: string, title: string, detail: string, hint: string): Failure =>
  new Failure({ problem: problem(name, title, detail, hint), exitCode: 1 })
