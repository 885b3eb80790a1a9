/** Is the version that is tested in force here? */
import { Effect } from "effect"
import { DataPlane } from "../../dataplane/DataPlane.ts"
import { Knowledge } from "../../Knowledge.ts"
import { type Check, fail, pass } from "../Finding.ts"

export const topology: Check = (request, { version }) => Effect.gen(function*() {
  const { inForce, problem } = yield* DataPlane
  const { stale } = yield* Knowledge
  const now = yield* inForce
  const applied = now?.plan.networks.find((network) => network.id === request.networkId)?.topologyVersion
  const why = yield* problem
  const evidence = { wanted: `v${request.version}`, received: `v${version}`, inForce: applied === undefined ? "none" : `v${applied}`, ...(why === undefined ? {} : { error: why }) }
  if (stale) return fail("the agent has been out of touch with the control plane for too long, and grants nothing new", "bring the control plane back, or raise GLOBALSTACKS_TOPOLOGY_MAX_AGE", evidence)
  if (applied === undefined) return fail(why ?? "not in force yet", "see the agent's log, and whether meshd runs (systemctl status gstacks-meshd)", evidence)
  if (applied >= request.version) return pass(`version ${applied} in force`)
  return version < request.version
    ? fail(`version ${applied} is in force, ${request.version} is wanted, and has not arrived`, "try again in a second; if it stays so, see the connection: gstacks debug actor agent/link, and gstacks network show", evidence)
    : fail(`version ${applied} is in force, ${request.version} is wanted: ${why ?? "meshd is at it"}`, "try again in a second; if it stays so, see meshd's log", evidence)
})
