/** Arguments and flags that several commands share, checked before anything is sent. */
import { Effect, Option, Schema } from "effect"
import { Argument, CliError, Flag } from "effect/cli"
import { isIP } from "node:net"
import { AliasName, LabelKey, LabelValue, NetworkName, parsePortRange, Port, portForms, SandboxName } from "../domain/DnsLabel.ts"
import { MaxPerSecond, MaxStreams } from "../domain/Limit.ts"
import { parseSelector, selectorForms, UserName } from "../domain/Selector.ts"
import type { Bind } from "../domain/Sandbox.ts"
import { parseDuration } from "./GlobalFlags.ts"

type Kind = "flag" | "argument"

/** A parser from text that says what it expected. */
const parsed = <A>(kind: Kind, option: string, expected: string, parse: (text: string) => A | undefined) => (value: string) => {
  const result = parse(value)
  return result === undefined ? Effect.fail(new CliError.InvalidValue({ option, value, expected, kind })) : Effect.succeed(result)
}

const decodes = <S extends Schema.Codec<unknown, string>>(schema: S) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (text: string): S["Type"] | undefined => Option.getOrUndefined(decode(text))
}

const label = "a DNS label (lower-case letters, digits and inner dashes, at most 63 characters, starting with a letter)"
const toPort = (text: string): Port | undefined => /^\d{1,5}$/.test(text) && Schema.is(Port)(Number(text)) ? Port.make(Number(text)) : undefined
const portForm = "a port from 1 to 65535"

/** A name or id of something that exists; the control plane knows whether it does. */
export const reference = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.withDescription(description),
    Argument.mapEffect(parsed("argument", name, "a name or id", (text) => text.trim() === "" ? undefined : text))
  )

export const network = reference("network", "Network")
/** A network's name, checked before anything is sent. */
export const networkName = Argument.String("network").pipe(
  Argument.withDescription("Network"), Argument.mapEffect(parsed("argument", "network", label, decodes(NetworkName))))
/** As rules name it: that of the user's token. */
export const user = Argument.String("user").pipe(
  Argument.withDescription("User, by the name of the token, as rules write it after local:"),
  Argument.mapEffect(parsed("argument", "user", "a user's name: letters, digits and . _ @ -", decodes(UserName))))
export const sandbox = reference("sandbox", "Sandbox, by name or id")

/** A name that the command gives. */
export const newName = <S extends Schema.Codec<unknown, string>>(name: string, description: string, schema: S) =>
  Argument.String(name).pipe(Argument.withDescription(description), Argument.mapEffect(parsed("argument", name, label, decodes(schema))))

export const newSandbox = newName("name", "Name of the sandbox", SandboxName)
export const newAlias = newName("alias", "Alias, <alias>.<network>.gstacks", AliasName)

export const aliasFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("<alias>"), Flag.withDescription(description), Flag.mapEffect(parsed("flag", name, label, decodes(AliasName))))

export const portFlag = Flag.String("port").pipe(Flag.withMetavar("<port>"), Flag.mapEffect(parsed("flag", "port", portForm, toPort)))

export const portRangeFlag = Flag.String("port").pipe(
  Flag.withMetavar("<port>"), Flag.withDescription("Port of the alias, a range like 8000-8100, or all"), Flag.mapEffect(parsed("flag", "port", portForms, parsePortRange))
)

/** One port or more. */
export const portFlags = portFlag.pipe(Flag.withDescription("Port to publish; may repeat"), Flag.atLeast(1), Flag.map(([first, ...rest]) => [first!, ...rest] as const))

export const selectorFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("<source>"), Flag.withDescription(description),
    Flag.mapEffect(parsed("flag", name, selectorForms, (text) => Option.isSome(parseSelector(text)) ? text : undefined))
  )

export const selector = Argument.String("source").pipe(
  Argument.withDescription("Who connects, as in a rule, like local or sandbox:web"),
  Argument.mapEffect(parsed("argument", "source", selectorForms, (text) => Option.isSome(parseSelector(text)) ? text : undefined))
)

/** `api:8080`. */
export const aliasAndPort = Argument.String("alias:port").pipe(
  Argument.withDescription("What is reached, like api:8080"),
  Argument.mapEffect(parsed("argument", "alias:port", "an alias and a port, like api:8080", (text) => {
    const [name = "", digits = "", ...more] = text.split(":")
    const alias = decodes(AliasName)(name), port = toPort(digits)
    return alias === undefined || port === undefined || more.length > 0 ? undefined : { alias, port }
  }))
)

const maybePortForm = "an alias, or an alias and a port, like api:8080"
const toAliasAndMaybePort = (text: string): { readonly alias: AliasName; readonly port?: Port } | undefined => {
  const [name = "", digits, ...more] = text.split(":")
  const alias = decodes(AliasName)(name), port = digits === undefined ? undefined : toPort(digits)
  return alias === undefined || more.length > 0 || (digits !== undefined && port === undefined) ? undefined : { alias, ...(port === undefined ? {} : { port }) }
}

/** `api` or `api:8080`. */
export const targetFlag = Flag.String("to").pipe(
  Flag.withMetavar("<alias[:port]>"), Flag.withDescription("Only of this alias, or alias and port"), Flag.mapEffect(parsed("flag", "to", maybePortForm, toAliasAndMaybePort))
)

/** What is to be published. */
export const aliasAndMaybePort = Argument.String("alias[:port]").pipe(
  Argument.withDescription("Alias, with another port than the local one if it is to have one, like laptop-api or laptop-api:80"),
  Argument.mapEffect(parsed("argument", "alias[:port]", maybePortForm, toAliasAndMaybePort))
)

export const localPortFlag = Flag.String("local").pipe(
  Flag.withMetavar("<port>"), Flag.withDescription("Port of this machine's loopback that is published"), Flag.mapEffect(parsed("flag", "local", portForm, toPort)))

/** Whose streams. */
export const sourceFlag = Flag.String("source").pipe(
  Flag.withMetavar("<source>"), Flag.withDescription("Only of this source: a sandbox by name or id, local or local:<user>"),
  Flag.mapEffect(parsed("flag", "source", "a sandbox by name or id, local or local:<user>", (text) => text.trim() === "" ? undefined : text))
)

export const limitFlag = (most: number, usual: number) => Flag.String("limit").pipe(
  Flag.withMetavar("<count>"), Flag.withDescription(`At most so many, the newest; up to ${most}, default ${usual}`),
  Flag.mapEffect(parsed("flag", "limit", `a number from 1 to ${most}`, (text) => /^\d{1,6}$/.test(text) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined)),
  Flag.withDefault(usual)
)

/** A topology version, as receipts and `network show` print it. */
export const versionFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("<version>"), Flag.withDescription(description),
    Flag.mapEffect(parsed("flag", name, "a topology version like 42", (text) => /^v?\d{1,9}$/.test(text) ? Number(text.replace("v", "")) : undefined))
  )

const bounded = <S extends Schema.Codec<number, number>>(schema: S, form: RegExp) => (text: string): number | undefined => {
  const [, digits] = form.exec(text) ?? []
  return digits !== undefined && Schema.is(schema)(Number(digits)) ? Number(digits) : undefined
}

export const maxStreamsFlag = Flag.String("max-streams").pipe(
  Flag.withMetavar("<count>"), Flag.withDescription("Streams that may be open at a time"),
  Flag.mapEffect(parsed("flag", "max-streams", "a number from 1 to 1000000", bounded(MaxStreams, /^(\d{1,7})$/)))
)

export const maxRateFlag = Flag.String("max-rate").pipe(
  Flag.withMetavar("<count/s>"), Flag.withDescription("New streams in a second, like 50/s"),
  Flag.mapEffect(parsed("flag", "max-rate", "a number of new streams a second, like 50/s, from 1/s to 100000/s", bounded(MaxPerSecond, /^(\d{1,6})(?:\/s)?$/)))
)

/** `18080`, `127.0.0.1:18080`, `0.0.0.0:18080`, `unix:/path`; answers an address and port, or a path after `unix:`. */
export const parseListen = (text: string): string | undefined => {
  if (text.startsWith("unix:")) return /^unix:\/[^\0]{1,100}$/.test(text) ? text : undefined
  const colon = text.lastIndexOf(":")
  const host = colon < 0 ? "127.0.0.1" : text.slice(0, colon)
  const digits = text.slice(colon + 1)
  const isPort = /^\d{1,5}$/.test(digits) && Number(digits) <= 65_535
  return isPort && isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0 ? `${host}:${digits}` : undefined
}

export const listenFlag = Flag.String("local").pipe(
  Flag.withMetavar("<port>"), Flag.withDescription("Where to listen: a port of 127.0.0.1 (0: any), an address and port, or unix:/path; default the alias's own port when it is free, else any"),
  Flag.mapEffect(parsed("flag", "local", "a port, an IP address and port, or unix:/path", parseListen))
)

/** As a request's Host header names it, without a port; answers it in lower case. */
export const parseHostName = (text: string): string | undefined => {
  const bare = text.toLowerCase().replace(/^\[(.*)\]$/, "$1")
  return isIP(bare) !== 0 || /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(bare) ? bare : undefined
}

export const hostName = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("<name>"), Flag.withDescription(description), Flag.mapEffect(parsed("flag", name, "a host name or IP address, without a port", parseHostName)))

/** How long, in milliseconds. `otherwise` is what the description says of its absence. */
export const durationFlag = (name: string, description: string, otherwise: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("<duration>"), Flag.withDescription(`${description}, like 30s, 5m or 1h; default ${otherwise}`),
    Flag.mapEffect(parsed("flag", name, "a duration like 30s, 5m or 1h", (text) => parseDuration(text) || undefined))
  )

const pair = (text: string): readonly [string, string] | undefined => {
  const equals = text.indexOf("=")
  return equals > 0 ? [text.slice(0, equals), text.slice(equals + 1)] : undefined
}

const pairs = (name: string, description: string, expected: string, valid: (key: string, value: string) => boolean) =>
  Flag.String(name).pipe(
    Flag.withMetavar("<key=value>"), Flag.withDescription(description),
    Flag.mapEffect(parsed("flag", name, expected, (text) => {
      const split = pair(text)
      return split !== undefined && valid(...split) ? split : undefined
    })),
    Flag.atLeast(0), Flag.withDefault([]), Flag.map((entries): Readonly<Record<string, string>> => Object.fromEntries(entries))
  )

export const labelFlags = pairs("label", "Label that rules can name; may repeat", "key=value, of lower-case letters, digits and . _ / - (no / in the value)",
  (key, value) => Schema.is(LabelKey)(key) && Schema.is(LabelValue)(value))

export const envFlags = pairs("env", "Environment variable for the program; may repeat", "NAME=value", (key) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(key))

/** `source:target[:rw]`, both absolute: they are paths on the agent's host. */
export const parseBind = (text: string): Bind | undefined => {
  const [source = "", target = "", mode, ...more] = text.split(":")
  const valid = source.startsWith("/") && target.startsWith("/") && more.length === 0 && (mode === undefined || mode === "rw" || mode === "ro")
  return valid ? { source, target, writable: mode === "rw" } : undefined
}

export const bindFlags = Flag.String("bind").pipe(
  Flag.withMetavar("<src:dst[:rw]>"), Flag.withDescription("Path of the agent's host to show in the sandbox, read-only unless :rw; may repeat"),
  Flag.mapEffect(parsed("flag", "bind", "source:target or source:target:rw, both absolute paths", parseBind)), Flag.atLeast(0), Flag.withDefault([])
)

/** Everything after `--`, untouched. */
export const program = Argument.String("command").pipe(Argument.withDescription("Program and its arguments, after --"), Argument.variadic())
