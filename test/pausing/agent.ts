/** The agent, which stops in a state where a test asks for it. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "../../src/agent/program.ts"
import { pausing } from "./pauseAt.ts"

program.pipe(pausing(process.env["GLOBALSTACKS_AGENT_NAME"] ?? ""), NodeRuntime.runMain)
