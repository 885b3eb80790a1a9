/** Every environment variable that a part of gstacks reads, for `gstacks doctor`. Each is validated where it is read. */
interface Setting {
  readonly reader: "cli" | "control" | "agent" | "control, agent"
  /** What holds while it is not set. */
  readonly otherwise: string
  /** Never shown. */
  readonly secret?: true
}

export const settings: Readonly<Record<string, Setting>> = {
  GSTACKS_URL: { reader: "cli", otherwise: "the context's, else http://127.0.0.1:7070" },
  GSTACKS_TOKEN: { reader: "cli", otherwise: "the context's", secret: true },
  GSTACKS_CONTEXT: { reader: "cli", otherwise: "the current one" },
  APP_HOST: { reader: "control", otherwise: "needed in managed mode" },
  GLOBALSTACKS_STATE_DIR: { reader: "control, agent", otherwise: "under $XDG_STATE_HOME/gstacks" },
  GLOBALSTACKS_LIBEXEC: { reader: "control, agent", otherwise: "beside the program" },
  GLOBALSTACKS_ALLOW_PLAIN_HTTP: { reader: "control, agent", otherwise: "plain HTTP on loopback and Unix sockets only" },
  GLOBALSTACKS_DATABASE_URL: { reader: "control", otherwise: "embedded, in the state folder", secret: true },
  GLOBALSTACKS_LISTEN: { reader: "control", otherwise: "127.0.0.1:7070" },
  GLOBALSTACKS_LISTEN_SOCKET: { reader: "control", otherwise: "none" },
  GLOBALSTACKS_MESH_CONTROL_URL: { reader: "control", otherwise: "derived from APP_HOST in managed mode" },
  GLOBALSTACKS_MESH_AUTH_KEY: { reader: "control", otherwise: "keys are minted", secret: true },
  GLOBALSTACKS_MESH_API_URL: { reader: "control", otherwise: "none" },
  GLOBALSTACKS_MESH_API_TOKEN: { reader: "control", otherwise: "none", secret: true },
  GLOBALSTACKS_MESH_USER: { reader: "control", otherwise: "gstacks's own" },
  GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: { reader: "control", otherwise: "no managed Headscale" },
  GLOBALSTACKS_HEADSCALE_BIN: { reader: "control", otherwise: "headscale in GLOBALSTACKS_LIBEXEC" },
  GLOBALSTACKS_CONTROL_URL: { reader: "agent", otherwise: "http://127.0.0.1:7070" },
  GLOBALSTACKS_AGENT_NAME: { reader: "agent", otherwise: "the short host name" },
  GLOBALSTACKS_AGENT_ENROLMENT_TOKEN: { reader: "agent", otherwise: "needed until it is enrolled", secret: true },
  GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE: { reader: "agent", otherwise: "none" },
  GLOBALSTACKS_RUNTIME_DIR: { reader: "agent", otherwise: "$XDG_RUNTIME_DIR/gstacks" },
  GLOBALSTACKS_MESHD_SOCKET: { reader: "agent", otherwise: "meshd.sock in the runtime folder" },
  GLOBALSTACKS_AGENT_MESH_DNS_ADDR: { reader: "agent", otherwise: "127.0.0.1:1053" },
  GLOBALSTACKS_AGENT_MESH_PROXY_BIND: { reader: "agent", otherwise: "not used yet" },
  GLOBALSTACKS_MESH_UDP_PORTS: { reader: "agent", otherwise: "41650-41749" },
  GLOBALSTACKS_TOPOLOGY_MAX_AGE: { reader: "agent", otherwise: "24 hours" },
  GLOBALSTACKS_SANDBOX_HIDE: { reader: "agent", otherwise: "state and runtime folders only" }
}

export interface ShownSetting {
  readonly name: string
  readonly value: string | null
  readonly otherwise: string
  readonly reader: string
}

/** As they are in this environment; secrets only as set or not. */
export const settingsIn = (env: Readonly<Record<string, string | undefined>>): ReadonlyArray<ShownSetting> =>
  Object.entries(settings).map(([name, { reader, otherwise, secret }]) => {
    const value = env[name] || null
    return { name, value: value !== null && secret ? "(set)" : value, otherwise, reader }
  })
