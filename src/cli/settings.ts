/** The environment variables that parts of gstacks read, for `gstacks doctor`. Each is validated where it is read. */
interface Setting {
  readonly reader: "gstacks" | "the control plane" | "the agent" | "control plane and agent"
  readonly secret?: true
}

export const settings: Readonly<Record<string, Setting>> = {
  GSTACKS_URL: { reader: "gstacks" },
  GSTACKS_TOKEN: { reader: "gstacks", secret: true },
  GSTACKS_CONTEXT: { reader: "gstacks" },
  GLOBALSTACKS_STATE_DIR: { reader: "control plane and agent" },
  GLOBALSTACKS_LIBEXEC: { reader: "control plane and agent" },
  GLOBALSTACKS_ALLOW_PLAIN_HTTP: { reader: "control plane and agent" },
  GLOBALSTACKS_DATABASE_URL: { reader: "the control plane", secret: true },
  GLOBALSTACKS_LISTEN: { reader: "the control plane" },
  GLOBALSTACKS_LISTEN_SOCKET: { reader: "the control plane" },
  GLOBALSTACKS_MESH_CONTROL_URL: { reader: "the control plane" },
  GLOBALSTACKS_MESH_AUTH_KEY: { reader: "the control plane", secret: true },
  GLOBALSTACKS_MESH_API_URL: { reader: "the control plane" },
  GLOBALSTACKS_MESH_API_TOKEN: { reader: "the control plane", secret: true },
  GLOBALSTACKS_MESH_USER: { reader: "the control plane" },
  GLOBALSTACKS_MESH_HEADSCALE_LISTEN_ADDR: { reader: "the control plane" },
  GLOBALSTACKS_HEADSCALE_BIN: { reader: "the control plane" },
  GLOBALSTACKS_CONTROL_URL: { reader: "the agent" },
  GLOBALSTACKS_AGENT_NAME: { reader: "the agent" },
  GLOBALSTACKS_AGENT_ENROLMENT_TOKEN: { reader: "the agent", secret: true },
  GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE: { reader: "the agent" },
  GLOBALSTACKS_RUNTIME_DIR: { reader: "the agent" },
  GLOBALSTACKS_MESHD_SOCKET: { reader: "the agent" },
  GLOBALSTACKS_AGENT_MESH_DNS_ADDR: { reader: "the agent" },
  GLOBALSTACKS_AGENT_MESH_PROXY_BIND: { reader: "the agent" },
  GLOBALSTACKS_MESH_UDP_PORTS: { reader: "the agent" },
  GLOBALSTACKS_TOPOLOGY_MAX_AGE: { reader: "the agent" },
  GLOBALSTACKS_SANDBOX_HIDE: { reader: "the agent" }
}
