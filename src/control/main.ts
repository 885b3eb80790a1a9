/** `gstacks control`: the control plane's process. Ends with 0 when it was told to, with 1 and the reason in the log when it cannot go on. */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Exit } from "effect"
import { program } from "./program.ts"

const isFailure = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)

NodeRuntime.runMain(program, { disableErrorReporting: true, teardown: (exit, end) => end(isFailure(exit) ? 1 : 0) })
