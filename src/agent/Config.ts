/**
 * The agent's settings, each read here and nowhere else, and checked before anything starts: every problem names the
 * variable and the fix, all of them at once.
 */
import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { readFileSync } from "node:fs"
import { isIP } from "node:net"
import { homedir, hostname } from "node:os"
import { isAbsolute, join } from "node:path"
import { AgentName } from "../domain/DnsLabel.ts"

export interface Address { readonly host: string; readonly port: number }
export interface Settings {
  readonly controlUrl: string
  readonly name: AgentName
  /** Only until the agent is enrolled. */
  readonly enrolmentToken: string | undefined
  readonly stateDir: string
  readonly runtimeDir: string
  readonly agentSocket: string
  readonly meshdSocket: string
  readonly shim: string
  readonly dns: Address
  /** Read and checked; nothing uses it before proxying for programs on the host's own network is there. */
  readonly proxyBind: string | undefined
  readonly udpPorts: { readonly first: number; readonly last: number }
  readonly topologyMaxAgeMs: number
  /** Where the build put the inspector page. */
  readonly inspectorFiles: string
  /** Paths that sandboxes must not see, besides state and runtime folders. */
  readonly hide: ReadonlyArray<string>
}

export class InvalidSettings extends Schema.TaggedError<InvalidSettings>()("InvalidSettings", { problems: Schema.Array(Schema.String) }) {
  override get message() { return this.problems.join("\n") }
}

export class Config extends Context.Service<Config, Settings>()("gstacks/agent/Config") {
  static readonly layer = Layer.effect(Config, Effect.suspend(() => readSettings(process.env)))
}

type Environment = Readonly<Record<string, string | undefined>>
const longestSocketPath = 107

export const readSettings = (env: Environment): Effect.Effect<Settings, InvalidSettings> => Effect.suspend(() => {
  const problems: Array<string> = []
  const text = (name: string): string | undefined => env[name] === "" ? undefined : env[name]
  /** `read` answers undefined when the text is not valid. */
  const setting = <A>(name: string, fallback: string, wanted: string, read: (text: string) => A | undefined): A => {
    const value = read(text(name) ?? fallback)
    if (value !== undefined) return value
    problems.push(`${name} is "${text(name) ?? fallback}"; set it to ${wanted}`)
    return read(fallback) as A // only to find the other problems
  }
  const folder = (name: string, fallback: string) => setting(name, fallback, "an absolute path", (path) => isAbsolute(path) ? path : undefined)

  const stateDir = folder("GLOBALSTACKS_STATE_DIR", join(text("XDG_STATE_HOME") ?? join(homedir(), ".local/state"), "gstacks/agent"))
  const runtimeDir = folder("GLOBALSTACKS_RUNTIME_DIR", text("XDG_RUNTIME_DIR") === undefined ? join(stateDir, "run") : join(text("XDG_RUNTIME_DIR")!, "gstacks"))
  const agentSocket = join(runtimeDir, "agent.sock")
  if (agentSocket.length > longestSocketPath) problems.push(`GLOBALSTACKS_RUNTIME_DIR makes the socket path ${agentSocket.length} characters long; set it to a path that is shorter by ${agentSocket.length - longestSocketPath}`)
  const libexec = text("GLOBALSTACKS_LIBEXEC") ?? join(import.meta.dirname, "bin")

  const settings: Settings = {
    controlUrl: setting("GLOBALSTACKS_CONTROL_URL", "http://127.0.0.1:7070",
      "the control plane's https:// URL (http:// only for loopback, or with GLOBALSTACKS_ALLOW_PLAIN_HTTP=1)",
      (url) => controlUrl(url, text("GLOBALSTACKS_ALLOW_PLAIN_HTTP") === "1")),
    name: setting("GLOBALSTACKS_AGENT_NAME", hostname().split(".")[0]!.toLowerCase(), "a DNS label such as host-1", (name) =>
      Option.getOrUndefined(Schema.decodeUnknownOption(AgentName)(name))),
    enrolmentToken: enrolmentToken(text("GLOBALSTACKS_AGENT_ENROLMENT_TOKEN"), text("GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE"), problems),
    stateDir, runtimeDir, agentSocket,
    meshdSocket: folder("GLOBALSTACKS_MESHD_SOCKET", join(runtimeDir, "meshd.sock")),
    shim: join(libexec, "gstacks-shim"),
    dns: setting("GLOBALSTACKS_AGENT_MESH_DNS_ADDR", "127.0.0.1:1053", "an IP address and port such as 127.0.0.1:1053", address),
    proxyBind: setting("GLOBALSTACKS_AGENT_MESH_PROXY_BIND", "unset", "an IP address", (bind) => bind === "unset" || isIP(bind) !== 0 ? bind : undefined),
    udpPorts: setting("GLOBALSTACKS_MESH_UDP_PORTS", "41650-41749", "a range of ports such as 41650-41749", portRange),
    topologyMaxAgeMs: setting("GLOBALSTACKS_TOPOLOGY_MAX_AGE", "24 hours", "a duration such as \"24 hours\"", duration),
    inspectorFiles: join(import.meta.dirname, "inspector"),
    hide: (text("GLOBALSTACKS_SANDBOX_HIDE") ?? "").split(":").filter((path) => path !== "")
  }
  return problems.length > 0 ? Effect.fail(new InvalidSettings({ problems })) : Effect.succeed({ ...settings, proxyBind: settings.proxyBind === "unset" ? undefined : settings.proxyBind })
})

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"])

const controlUrl = (text: string, allowPlain: boolean): string | undefined => {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const plainAllowed = url.protocol === "http:" && (allowPlain || loopback.has(url.hostname))
  return url.protocol === "https:" || plainAllowed ? url.origin : undefined
}

const enrolmentToken = (token: string | undefined, file: string | undefined, problems: Array<string>): string | undefined => {
  if (token !== undefined || file === undefined) return token
  try {
    return readFileSync(file, "utf8").trim()
  } catch (error) {
    problems.push(`GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); create one with: gstacks agent token create`)
    return undefined
  }
}

const port = (text: string): number | undefined => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535 ? Number(text) : undefined

const address = (text: string): Address | undefined => {
  const [, host, number] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text) ?? []
  const value = port(number ?? "")
  return host !== undefined && isIP(host) !== 0 && value !== undefined ? { host, port: value } : undefined
}

const portRange = (text: string): Settings["udpPorts"] | undefined => {
  const [first, last] = text.split("-").map(port)
  return first !== undefined && last !== undefined && first <= last ? { first, last } : undefined
}

const duration = (text: string): number | undefined => {
  const parsed = Duration.fromInput(text as Duration.Input)
  return Option.isSome(parsed) && Duration.toMillis(parsed.value) > 0 ? Duration.toMillis(parsed.value) : undefined
}
