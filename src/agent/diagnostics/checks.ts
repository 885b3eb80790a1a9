/** The five checks of `network test`, as this agent sees them: each gives its evidence, and what to do when it does not pass. */
import { Effect } from "effect"
import type { CheckName } from "../../domain/Diagnostic.ts"
import { dns } from "./checks/dns.ts"
import { mesh } from "./checks/mesh.ts"
import { policy } from "./checks/policy.ts"
import { route } from "./checks/route.ts"
import { topology } from "./checks/topology.ts"
import { type Check, fail, type Finding } from "./Finding.ts"

/** The mesh asks meshd, and whoever else is to answer; the route waits for a program that may be slow. */
const withinMs: Readonly<Record<CheckName, number>> = { mesh: 4_000, topology: 2_500, dns: 2_500, route: 11_000, policy: 2_500 }
const late = (check: CheckName): Finding => fail(`no result within ${withinMs[check] / 1000} s`, "see the agent's log, and try again")

/** Within a bound that fits the control plane's. */
export const bounded = <R>(check: CheckName, finding: Effect.Effect<Finding, never, R>): Effect.Effect<Finding, never, R> =>
  Effect.timeoutOrElse(finding, { duration: withinMs[check], orElse: () => Effect.succeed(late(check)) })

export const checks: Readonly<Record<CheckName, Check>> = { mesh, topology, dns, route, policy }
