/** The background process that `gstacks mesh join` starts. SIGTERM ends it in order: it leaves what it has joined. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "./program.ts"

NodeRuntime.runMain(program)
