/** The control plane, which stops in a state where a test asks for it. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "../../src/control/program.ts"
import { pausing } from "./pauseAt.ts"

program.pipe(pausing("control"), NodeRuntime.runMain)
