/** Names that users choose: one DNS label each, lower case, so that `<alias>.<network>.gstacks` is always a valid host name. */
import { Schema } from "effect"

export const suffix = "gstacks"

const rule = "a DNS label: lower-case letters, digits and inner dashes, at most 63 characters, starting with a letter"

export const DnsLabel = Schema.String.check(Schema.isPattern(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, { message: rule }))
export const NetworkName = DnsLabel.pipe(Schema.brand("NetworkName"))
export type NetworkName = typeof NetworkName.Type
export const SandboxName = DnsLabel.pipe(Schema.brand("SandboxName"))
export type SandboxName = typeof SandboxName.Type
export const AliasName = DnsLabel.pipe(Schema.brand("AliasName"))
export type AliasName = typeof AliasName.Type
export const AgentName = DnsLabel.pipe(Schema.brand("AgentName"))
export type AgentName = typeof AgentName.Type

/** The cluster's own plane, which is no network: nothing may be taken for it. */
export const reservedNetworks: ReadonlySet<string> = new Set(["infra"])

/** Words of the selector grammar, which no alias may take. */
export const reservedAliases: ReadonlySet<string> = new Set(["local", "any"])

export const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65535 }, { message: "a port from 1 to 65535" })).pipe(Schema.brand("Port"))
export type Port = typeof Port.Type

/** Ports of an alias that a rule names, both ends included; `allPorts` stands for whatever the alias publishes. */
export interface PortRange { readonly first: Port; readonly last: Port }
export const allPorts: PortRange = { first: Port.make(1), last: Port.make(65535) }

export const portForms = "a port from 1 to 65535, a range like 8000-8100, or all"

export const parsePortRange = (text: string): PortRange | undefined => {
  if (text === "all") return allPorts
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const ends = [Number(first), Number(last)]
  return ends.every(Schema.is(Port)) && ends[0]! <= ends[1]! ? { first: ends[0]!, last: ends[1]! } : undefined
}

/** As users write it. */
export const portRangeText = ({ first, last }: PortRange): string =>
  first === last ? String(first) : first === allPorts.first && last === allPorts.last ? "all" : `${first}-${last}`

export const LabelKey = Schema.String.check(Schema.isPattern(/^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/, { message: "a label key: lower-case letters, digits, and . _ / - inside" }))
export const LabelValue = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{0,63}$/, { message: "a label value: letters, digits and . _ -, at most 63 characters" }))
/** Keys are checked by hand: a record with a refined key schema would drop the keys that do not match. */
export const Labels = Schema.Record(Schema.String, LabelValue).check(
  Schema.makeFilter((labels) => Object.keys(labels).every(Schema.is(LabelKey)) || "label keys: lower-case letters, digits, and . _ / - inside"))
export type Labels = typeof Labels.Type

/** `dev` -> `dev.gstacks`. */
export const networkSuffix = (network: string): string => `${network}.${suffix}`
/** `api`, `dev` -> `api.dev.gstacks`. */
export const hostName = (alias: string, network: string): string => `${alias}.${networkSuffix(network)}`
