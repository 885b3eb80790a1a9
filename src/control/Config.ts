/** Every setting of the control plane, read once and checked at start; a message names the variable and the fix. */
import { Effect, Option, Redacted, Schema } from "effect"
import { isIP } from "node:net"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"
import type { DatabaseSource } from "./sql/Database.ts"

export class InvalidSetting extends Schema.TaggedError<InvalidSetting>()("InvalidSetting", { variable: Schema.String, message: Schema.String }) {}

export type MeshConfig =
  | { readonly _tag: "None" }
  /** The control plane runs Headscale itself. */
  | { readonly _tag: "Managed"; readonly binary: string; readonly listen: Listen; readonly controlUrl: string }
  /** An existing Headscale. `authKey`: one key made beforehand for every node; then tags are not ours, and isolation rests on permits alone. */
  | {
    readonly _tag: "External"; readonly controlUrl: string; readonly apiUrl: string; readonly apiToken: Redacted.Redacted
    readonly user: string | undefined; readonly authKey: Option.Option<Redacted.Redacted>
  }

export interface Listen { readonly host: string; readonly port: number }

export interface Config {
  readonly stateDir: string
  readonly database: DatabaseSource
  readonly listen: Listen
  readonly listenSocket: string | undefined
  readonly mesh: MeshConfig
}

type Environment = Readonly<Record<string, string | undefined>>

const parseListen = (text: string): Listen | undefined => {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  return match === null || port > 65_535 ? undefined : { host: match[1]!.replace(/^\[|\]$/g, ""), port }
}
const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))
const isUrl = (text: string, protocols: ReadonlyArray<string>): boolean => URL.canParse(text) && protocols.includes(new URL(text).protocol)

export const read = (env: Environment): Effect.Effect<Config, InvalidSetting> => Effect.gen(function*() {
  const wrong = (variable: string, message: string) => new InvalidSetting({ variable, message: `${variable}: ${message}` })
  const get = (variable: string): string | undefined => env[variable] === "" ? undefined : env[variable]

  const stateDir = get("GLOBALSTACKS_STATE_DIR") ?? join(get("XDG_STATE_HOME") ?? join(homedir(), ".local", "state"), "gstacks", "control")
  if (!isAbsolute(stateDir)) return yield* wrong("GLOBALSTACKS_STATE_DIR", `"${stateDir}" is not an absolute path.`)

  const databaseUrl = get("GLOBALSTACKS_DATABASE_URL")
  if (databaseUrl !== undefined && !isUrl(databaseUrl, ["postgres:", "postgresql:"])) {
    return yield* wrong("GLOBALSTACKS_DATABASE_URL", "write postgres://user:password@host:5432/database, or leave it empty for the embedded database.")
  }

  const listenText = get("GLOBALSTACKS_LISTEN") ?? "127.0.0.1:7070"
  const listen = parseListen(listenText)
  if (listen === undefined) return yield* wrong("GLOBALSTACKS_LISTEN", `"${listenText}" is not host:port, for example 127.0.0.1:7070.`)
  if (!isLoopback(listen.host) && get("GLOBALSTACKS_ALLOW_PLAIN_HTTP") !== "1") {
    return yield* wrong("GLOBALSTACKS_LISTEN", `plain HTTP on ${listen.host} would send tokens in the clear. Listen on 127.0.0.1 behind a TLS proxy, or set GLOBALSTACKS_ALLOW_PLAIN_HTTP=1 in a network that nobody else can reach.`)
  }
  const listenSocket = get("GLOBALSTACKS_LISTEN_SOCKET")
  if (listenSocket !== undefined && (!isAbsolute(listenSocket) || Buffer.byteLength(listenSocket) > 107)) {
    return yield* wrong("GLOBALSTACKS_LISTEN_SOCKET", "must be an absolute path of at most 107 bytes.")
  }

  return {
    stateDir, listen, listenSocket, mesh: yield* readMesh(get, wrong),
    database: databaseUrl === undefined ? { _tag: "Embedded", directory: join(stateDir, "database"), template: join(import.meta.dirname, "pgdata") } : { _tag: "Url", url: Redacted.make(databaseUrl) }
  }
})

const readMesh = Effect.fnUntraced(function*(get: (variable: string) => string | undefined, wrong: (variable: string, message: string) => InvalidSetting) {
  const controlUrl = get("GLOBALSTACKS_MESH_CONTROL_URL")
  if (controlUrl !== undefined && !isUrl(controlUrl, ["http:", "https:"])) return yield* wrong("GLOBALSTACKS_MESH_CONTROL_URL", "must be an http or https URL.")
  const managed = get("GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR")
  if (managed !== undefined) {
    const listen = parseListen(managed)
    if (listen === undefined || isIP(listen.host) === 0) return yield* wrong("GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR", `"${managed}" is not address:port, for example 10.0.0.1:8080.`)
    const binary = get("GLOBALSTACKS_HEADSCALE_BIN") ?? (get("GLOBALSTACKS_LIBEXEC") === undefined ? undefined : join(get("GLOBALSTACKS_LIBEXEC")!, "headscale"))
    if (binary === undefined) return yield* wrong("GLOBALSTACKS_HEADSCALE_BIN", "is needed with GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: the path of the headscale program.")
    return { _tag: "Managed" as const, binary, listen, controlUrl: controlUrl ?? `http://${get("APP_HOST") ?? listen.host}:${listen.port}` }
  }
  const apiUrl = get("GLOBALSTACKS_MESH_API_URL")
  const apiToken = get("GLOBALSTACKS_MESH_API_TOKEN")
  const authKey = get("GLOBALSTACKS_MESH_AUTH_KEY")
  if (authKey !== undefined && apiUrl === undefined) {
    return yield* wrong("GLOBALSTACKS_MESH_AUTH_KEY", "needs GLOBALSTACKS_MESH_API_URL and _API_TOKEN too: which node belongs to which agent is learned from the coordinator, never from the agent.")
  }
  if (apiUrl !== undefined || apiToken !== undefined) {
    if (apiUrl === undefined || !isUrl(apiUrl, ["http:", "https:"])) return yield* wrong("GLOBALSTACKS_MESH_API_URL", "must be the http or https URL of Headscale's API.")
    if (apiToken === undefined) return yield* wrong("GLOBALSTACKS_MESH_API_TOKEN", "is needed with GLOBALSTACKS_MESH_API_URL: make one with `headscale apikeys create`.")
    if (controlUrl === undefined) return yield* wrong("GLOBALSTACKS_MESH_CONTROL_URL", "is needed with GLOBALSTACKS_MESH_API_URL: the URL of the mesh coordinator that nodes dial.")
    return { _tag: "External" as const, controlUrl, apiUrl: apiUrl.replace(/\/$/, ""), apiToken: Redacted.make(apiToken), user: get("GLOBALSTACKS_MESH_USER"), authKey: Option.map(Option.fromUndefinedOr(authKey), (key) => Redacted.make(key)) }
  }
  return { _tag: "None" as const }
})
