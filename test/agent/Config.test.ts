import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readSettings } from "../../src/agent/Config.ts"

const base = { GLOBALSTACKS_AGENT_NAME: "host-1", GLOBALSTACKS_STATE_DIR: "/state", GLOBALSTACKS_RUNTIME_DIR: "/run/gs" }
const problemsOf = (env: Record<string, string>) => Effect.map(Effect.flip(readSettings({ ...base, ...env })), (error) => error.problems)

describe("agent settings", () => {
  it.effect("have defaults that need no setting but a control plane here", () => Effect.gen(function*() {
    const settings = yield* readSettings(base)
    assert.deepInclude(settings, {
      controlUrl: "http://127.0.0.1:7070", agentSocket: "/run/gs/agent.sock", meshdSocket: "/run/gs/meshd.sock", proxyBind: undefined,
      topologyMaxAgeMs: 86_400_000, hide: []
    })
    assert.deepStrictEqual([settings.dns, settings.udpPorts], [{ host: "127.0.0.1", port: 1053 }, { first: 41650, last: 41749 }])
  }))

  it.effect("plain HTTP beyond the loopback needs to be allowed", () => Effect.gen(function*() {
    const url = { GLOBALSTACKS_CONTROL_URL: "http://10.0.0.1:7070" }
    assert.include((yield* problemsOf(url))[0], "GLOBALSTACKS_CONTROL_URL")
    assert.strictEqual((yield* readSettings({ ...base, ...url, GLOBALSTACKS_ALLOW_PLAIN_HTTP: "1" })).controlUrl, "http://10.0.0.1:7070")
    assert.strictEqual((yield* readSettings({ ...base, GLOBALSTACKS_CONTROL_URL: "https://control.example/" })).controlUrl, "https://control.example")
  }))

  const wrong = {
    GLOBALSTACKS_CONTROL_URL: "control", GLOBALSTACKS_AGENT_NAME: "Host_1", GLOBALSTACKS_STATE_DIR: "state", GLOBALSTACKS_AGENT_MESH_DNS_ADDR: "localhost:53",
    GLOBALSTACKS_AGENT_MESH_PROXY_BIND: "everywhere", GLOBALSTACKS_MESH_UDP_PORTS: "9-1", GLOBALSTACKS_TOPOLOGY_MAX_AGE: "soon",
    GLOBALSTACKS_AGENT_ENROLMENT_TOKEN_FILE: "/no/such/file", GLOBALSTACKS_RUNTIME_DIR: `/${"long/".repeat(30)}`
  }
  it.effect.each(Object.entries(wrong))("%s=%s is refused by name, with the fix", ([name, value]) => Effect.gen(function*() {
    const [problem] = yield* problemsOf({ [name]: value })
    assert.match(problem!, new RegExp(`^${name}.+(set it to|create one)`))
  }))

  it.effect("tells all problems at once", () => Effect.gen(function*() {
    assert.strictEqual((yield* problemsOf(wrong)).length, Object.keys(wrong).length)
  }))
})
