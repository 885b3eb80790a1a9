/** `gstacks agent run`: the host agent's process. SIGTERM ends it in order. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "./program.ts"

NodeRuntime.runMain(program)
