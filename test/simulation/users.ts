/** What users ask of the control plane, by its services as its HTTP API calls them. Each operation acts under a name of its own, so that the audit log tells whose doing a version was. */
import { Effect } from "effect"
import { Agents } from "../../src/control/Agents.ts"
import { Aliases } from "../../src/control/Aliases.ts"
import { Attachments } from "../../src/control/Attachments.ts"
import { asPrincipal } from "../../src/control/Changes.ts"
import { Diagnostics } from "../../src/control/Diagnostics.ts"
import { Networks } from "../../src/control/Networks.ts"
import { Rules } from "../../src/control/Rules.ts"
import { Sandboxes } from "../../src/control/Sandboxes.ts"
import { AliasName, NetworkName, Port, SandboxName } from "../../src/domain/DnsLabel.ts"
import type { Change } from "../../src/domain/Receipt.ts"
import type { UserOperation } from "./schedule.ts"

export const principalOf = (number: number): string => `op-${number}`
export const numberOf = (principal: string): number | undefined => principal.startsWith("op-") ? Number(principal.slice(3)) : undefined

const changed = ({ change }: { readonly change: Change }): ReadonlyArray<Change> => [change]
const nothing: ReadonlyArray<Change> = []

const lookMs = 10_000

/** The versions that it made; of a test, its outcome. */
export const perform = (number: number, operation: UserOperation) => Effect.gen(function*() {
  const networks = yield* Networks
  const attachments = yield* Attachments
  const aliases = yield* Aliases
  const rules = yield* Rules
  const sandboxes = yield* Sandboxes
  const agents = yield* Agents
  const diagnostics = yield* Diagnostics
  switch (operation.op) {
    case "create": return changed(yield* networks.create(NetworkName.make(operation.network), "agent_proxy"))
    case "delete": return changed(yield* networks.remove(operation.network, true))
    case "attach": return changed(yield* attachments.attach(operation.network, operation.box, operation.alias === undefined ? undefined : AliasName.make(operation.alias), operation.alias === undefined ? [] : [Port.make(operation.port)]))
    case "detach": return changed(yield* attachments.detach(operation.network, operation.box))
    case "alias.add": return changed(yield* aliases.add(operation.network, operation.box, AliasName.make(operation.alias), [Port.make(operation.port)]))
    case "alias.remove": return changed(yield* aliases.remove(operation.network, operation.alias, operation.port === undefined ? undefined : Port.make(operation.port)))
    case "alias.move": return changed(yield* aliases.move(operation.network, operation.alias, operation.box))
    case "allow": return changed(yield* rules.allow(operation.network, operation.from, AliasName.make(operation.alias), { first: Port.make(operation.port), last: Port.make(operation.port) }, operation.forSeconds === undefined ? {} : { forSeconds: operation.forSeconds }))
    case "revoke": {
      const all = yield* rules.list(operation.network)
      return all.length === 0 ? nothing : changed(yield* rules.revoke(operation.network, all[operation.nth % all.length]!.id))
    }
    case "run":
      yield* sandboxes.run({ name: SandboxName.make(operation.box), agent: operation.host, labels: { team: operation.team }, spec: { command: ["serve"], env: {}, binds: [] }, replace: false })
      return nothing
    case "stop":
      yield* sandboxes.stop(operation.box)
      return nothing
    case "remove": return (yield* sandboxes.remove(operation.box)).changes
    case "test": {
      let run = yield* diagnostics.test(operation.network, { source: operation.from, alias: operation.alias, port: operation.port }, lookMs)
      while (run.state === "running") run = yield* diagnostics.show(operation.network, run.id, { after: run.checks.length, waitMs: lookMs })
      return run
    }
    case "retire": {
      const there = (yield* sandboxes.list).filter((sandbox) => sandbox.agent === operation.host)
      const removed = yield* Effect.forEach(there, ({ id }) => sandboxes.remove(id))
      yield* agents.remove(operation.host)
      return removed.flatMap(({ changes }) => changes)
    }
  }
}).pipe(asPrincipal(principalOf(number)))
