/** Flags and arguments that the dev commands share. */
import { Effect, Option, Schema } from "effect"
import { Argument, CliError, Flag } from "effect/cli"
import { DnsLabel } from "../../domain/DnsLabel.ts"
import { maxHosts } from "../world/bridge.ts"
import { named } from "../Cluster.ts"

const isName = Schema.decodeUnknownOption(DnsLabel)

export const cluster = Flag.String("name").pipe(
  Flag.withMetavar("<cluster>"), Flag.withDescription("Which cluster, and the name of its context (default dev)"), Flag.withDefault("dev"),
  Flag.mapEffect((value) =>
    Option.isSome(isName(value))
      ? Effect.succeed(named(value))
      : Effect.fail(new CliError.InvalidValue({ option: "name", value, expected: "a DNS label, like dev", kind: "flag" })))
)

export const hosts = Flag.Int("hosts").pipe(
  Flag.withMetavar("<n>"), Flag.withDescription("How many hosts (default 2)"), Flag.withDefault(2),
  Flag.mapEffect((value) =>
    value >= 1 && value <= maxHosts
      ? Effect.succeed(value)
      : Effect.fail(new CliError.InvalidValue({ option: "hosts", value: String(value), expected: `a number from 1 to ${maxHosts}`, kind: "flag" })))
)

export const host = Argument.String("host").pipe(Argument.withDescription("host-1, host-2, ... or control, where the control plane runs"))

/** How a user addresses this cluster in a command. */
export const command = (words: string, cluster: { readonly name: string }) =>
  `gstacks dev ${words}${cluster.name === "dev" ? "" : ` --name ${cluster.name}`}`
