/**
 * Source selectors. Users type text (`local`, `local:ann`, `any`, `*`, `sandbox:web`, `alias:api`, `api`, `label:team=blue`); a stored
 * rule holds a `Source` bound to immutable ids, so a name that is created again starts with no rights.
 */
import { Option, Schema } from "effect"
import { DnsLabel, LabelKey, LabelValue } from "./DnsLabel.ts"
import { AliasId, SandboxId } from "./Ids.ts"

/** The name of a user's token. */
export const UserName = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._@-]{1,63}$/, { message: "a user's name: letters, digits and . _ @ -" }))

export const Source = Schema.Union([
  /** Joined machines of one user, or of everybody. */
  Schema.TaggedStruct("Local", { user: Schema.optionalKey(UserName) }),
  Schema.TaggedStruct("Any", {}),
  Schema.TaggedStruct("Sandbox", { sandboxId: SandboxId }),
  Schema.TaggedStruct("Alias", { aliasId: AliasId }),
  Schema.TaggedStruct("Label", { key: LabelKey, value: LabelValue })
])
export type Source = typeof Source.Type

/** As users write it; `name` is that of what it is bound to. */
export const sourceText = (source: Source, name: string | null): string => {
  switch (source._tag) {
    case "Local": return source.user === undefined ? "local" : `local:${source.user}`
    case "Any": return "any"
    case "Sandbox": return `sandbox:${name}`
    case "Alias": return `alias:${name}`
    case "Label": return `label:${source.key}=${source.value}`
  }
}

/** What the user wrote, before names are looked up. */
export type Selector =
  | { readonly _tag: "Local"; readonly user?: string }
  | { readonly _tag: "Any" }
  | { readonly _tag: "Sandbox"; readonly ref: string }
  | { readonly _tag: "Alias"; readonly name: string }
  | { readonly _tag: "Label"; readonly key: string; readonly value: string }

const isLabel = Schema.is(DnsLabel)
const isKey = Schema.is(LabelKey)
const isValue = Schema.is(LabelValue)
const isUser = Schema.is(UserName)
const isSandboxRef = (text: string): boolean => isLabel(text) || Schema.is(SandboxId)(text)

export const selectorForms = "local, local:<user>, any, sandbox:<name or id>, alias:<name>, <alias> or label:<key>=<value>"

export const parseSelector = (text: string): Option.Option<Selector> => {
  if (text === "local") return Option.some({ _tag: "Local" })
  if (text === "any" || text === "*") return Option.some({ _tag: "Any" })
  const colon = text.indexOf(":")
  const kind = colon < 0 ? "alias" : text.slice(0, colon)
  const rest = text.slice(colon + 1)
  if (kind === "local" && isUser(rest)) return Option.some({ _tag: "Local", user: rest })
  if (kind === "sandbox" && isSandboxRef(rest)) return Option.some({ _tag: "Sandbox", ref: rest })
  if (kind === "alias" && isLabel(rest)) return Option.some({ _tag: "Alias", name: rest })
  if (kind === "label") {
    const equals = rest.indexOf("=")
    const key = rest.slice(0, equals), value = rest.slice(equals + 1)
    if (equals > 0 && isKey(key) && isValue(value)) return Option.some({ _tag: "Label", key, value })
  }
  return Option.none()
}
