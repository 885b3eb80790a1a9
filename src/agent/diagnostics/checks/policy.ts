/** Does a rule of the version that is here let the source in? */
import { Clock, Effect } from "effect"
import { hostName } from "../../../domain/DnsLabel.ts"
import { hasExpired, rulesFor, rulesForLocal } from "../../../domain/Policy.ts"
import { type Check, fail, nameOf, pass } from "../Finding.ts"

export const policy: Check = (request, network, alias) => Effect.map(Clock.currentTimeMillis, (now) => {
  const at = (time: number) => request.source === null ? rulesForLocal(network, alias.id, request.port, time, request.user) : rulesFor(network, request.source, alias.id, request.port, time)
  const rules = at(now)
  const source = request.source === null ? localText(request.user) : `sandbox:${nameOf(network, request.source)}`
  const target = `${hostName(alias.name, network.name)}:${request.port}`
  if (rules.length > 0) return pass(`${source} may reach ${target} by ${rules.map((rule) => rule.id).join(", ")}`)
  const allow = `gstacks network policy allow ${network.name} --from ${source} --to ${alias.name} --port ${request.port}`
  const ended = endedRule(at(0), now)
  if (ended !== undefined) {
    const since = new Date(ended.expiresAt).toISOString()
    return fail(`the rule that let ${source} reach ${target} ended at ${since}`, `allow it again: ${allow} --for 2h`, { rule: ended.id, ended: since, version: `v${network.version}` })
  }
  return fail(`no rule of version ${network.version} lets ${source} reach ${target}`, allow, { version: `v${network.version}` })
})

export const localText = (user: string | undefined): string => user === undefined ? "local" : `local:${user}`

/** The one that ended last. */
const endedRule = (rules: ReturnType<typeof rulesFor>, now: number): { readonly id: string; readonly expiresAt: number } | undefined =>
  rules.flatMap((rule) => rule.expiresAt !== undefined && hasExpired(rule, now) ? [{ id: rule.id, expiresAt: rule.expiresAt }] : [])
    .reduce<{ readonly id: string; readonly expiresAt: number } | undefined>((last, rule) => last === undefined || rule.expiresAt > last.expiresAt ? rule : last, undefined)
