/** `gstacks network ...` */
import { Command } from "effect/cli"
import { alias } from "./alias/alias.ts"
import { attach } from "./attach.ts"
import { create } from "./create.ts"
import { deleteNetwork } from "./delete.ts"
import { detach } from "./detach.ts"
import { flows } from "./flows.ts"
import { limit } from "./limit/limit.ts"
import { list } from "./list.ts"
import { metrics } from "./metrics.ts"
import { policy } from "./policy/policy.ts"
import { publisher } from "./publisher/publisher.ts"
import { resolve } from "./resolve.ts"
import { show } from "./show.ts"
import { test } from "./test.ts"
import { tests } from "./tests/tests.ts"
import { trace } from "./trace.ts"

export const network = Command.make("network").pipe(
  Command.withDescription("Networks: who is attached, under which names, and who may reach whom"),
  Command.withSubcommands([create, list, show, deleteNetwork, attach, detach, alias, policy, resolve, test, tests, trace, flows, metrics, limit, publisher])
)
