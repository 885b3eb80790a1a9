/** Arguments and flags that several commands share, checked before anything is sent. */
import { Effect, Option, Schema } from "effect"
import { Argument, CliError, Flag } from "effect/cli"
import { AliasName, LabelKey, LabelValue, Port, SandboxName } from "../domain/DnsLabel.ts"
import { parseSelector, selectorForms } from "../domain/Selector.ts"
import type { Bind } from "../domain/Sandbox.ts"

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
export const sandbox = reference("sandbox", "Sandbox, by name or id")

/** A name that the command gives. */
export const newName = <S extends Schema.Codec<unknown, string>>(name: string, description: string, schema: S) =>
  Argument.String(name).pipe(Argument.withDescription(description), Argument.mapEffect(parsed("argument", name, label, decodes(schema))))

export const newSandbox = newName("name", "Name of the sandbox", SandboxName)
export const newAlias = newName("alias", "Alias, <alias>.<network>.gstacks", AliasName)

export const aliasFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("<alias>"), Flag.withDescription(description), Flag.mapEffect(parsed("flag", name, label, decodes(AliasName))))

export const portFlag = Flag.String("port").pipe(Flag.withMetavar("<port>"), Flag.mapEffect(parsed("flag", "port", portForm, toPort)))

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
