/** A developer's background process, which stops in a state where a test asks for it. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "../../src/local/program.ts"
import { pausing } from "./pauseAt.ts"

program.pipe(pausing("laptop"), NodeRuntime.runMain)
