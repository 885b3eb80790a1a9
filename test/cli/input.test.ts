/** Bad input: the exit code that fits, what, why and the next command on stderr, never a help page on stdout, and nothing half done. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { makeWorld, type TestWorld } from "./world.ts"

const cases: ReadonlyArray<readonly [line: string, code: number, says: RegExp]> = [
  ["network create UPPER", 2, /<name> UPPER is not valid: expected a DNS label/],
  ["network create", 2, /<name> is needed/],
  ["network create dev more", 2, /unexpected: more/],
  ["network create dev", 1, /There is a network "dev"/],
  ["network create far --mode routed_mesh", 2, /routed_mesh is not supported yet/],
  ["network show nowhere", 3, /There is no network "nowhere"/],
  ["network attach dev ghost", 3, /There is no sandbox "ghost"/],
  ["network attach dev web --port 80", 2, /--port needs --alias/],
  ["network attach dev web --alias x", 2, /--alias x needs at least one --port/],
  ["network attach dev web --alias local --port 80", 2, /"local" is a word of the selectors/],
  ["network attach dev web --alias x --port 0", 2, /--port 0 is not valid: expected a port from 1 to 65535/],
  ["network attach dev web --alias x --port 65536", 2, /--port 65536 is not valid/],
  ["network attach dev web --alias x --port -1", 2, /--port -1 is not valid/],
  ["network attach dev web --alias x --port 80.5", 2, /--port 80.5 is not valid/],
  ["network attach dev web --alias x --port", 2, /--port needs a value/],
  ["network attach dev web --alias api --port 80", 1, /Alias "api" is taken by sandbox "backend"/],
  ["network alias add dev web bad_name --port 80", 2, /<alias> bad_name is not valid/],
  ["network alias add dev web fine", 2, /--port is needed/],
  ["network alias remove dev nope", 3, /has no alias "nope"/],
  ["network alias remove dev api --port 81", 3, /does not publish port 81/],
  ["network policy allow dev --from sandbox:web --to api --port 9999", 3, /does not publish port 9999/],
  ["network policy allow dev --from what:ever --to api --port 8080", 2, /--from what:ever is not valid: expected local, local:<user>, any, sandbox:/],
  ["network policy allow dev --from local --to api", 2, /--port is needed/],
  ["network policy revoke dev rul_000000000000000000", 3, /There is no rule/],
  ["mesh forward dev", 2, /either an alias and port, or --all/],
  ["mesh forward dev api:8080 --all", 2, /either an alias and port, or --all/],
  ["mesh forward dev --all --local 18080", 2, /are of one forward, not of --all/],
  ["mesh forward dev api:8080 --host-header http://127.0.0.1", 2, /expected a host name or IP address, without a port/],
  ["mesh forward dev api:8080 --local 0.0.0.0:0", 2, /whoever reaches this machine/],
  ["network resolve dev nope", 3, /has no alias "nope"/],
  ["network test dev local api", 2, /<alias:port> api is not valid: expected an alias and a port/],
  ["network test dev local api:0", 2, /<alias:port> api:0 is not valid/],
  ["network delete dev", 2, /no terminal to ask at/],
  ["network delete dev --cascade", 2, /no terminal to ask at/],
  ["network delete dev --yes", 1, /Network "dev" has 1 attachments/],
  ["network detach dev backend", 2, /no terminal to ask at/],
  ["network frobnicate", 2, /there is no command gstacks network frobnicate/],
  ["network atach dev web", 2, /there is no command gstacks network atach; did you mean attach\?/],
  ["netwrk list", 2, /did you mean network\?/],
  ["network list --bogus", 2, /there is no flag --bogus/],
  ["network list --timeout soon", 2, /--timeout soon is not valid: expected a duration like/],
  ["network list -o xml", 2, /--output xml is not valid/],
  ["sandbox run web -- true", 1, /A sandbox "web" is alive/],
  ["sandbox run x --agent host-9 -- true", 3, /There is no agent "host-9"/],
  ["sandbox run x true", 2, /there is no program to run: it comes after --/],
  ["sandbox run x y -- true", 2, /y is before --, the program comes after it/],
  ["sandbox run x --label nokey -- true", 2, /--label nokey is not valid/],
  ["sandbox run x --env 1=2 -- true", 2, /--env 1=2 is not valid/],
  ["sandbox run x --bind relative:/x -- true", 2, /--bind relative:\/x is not valid/],
  ["sandbox show ghost", 3, /There is no sandbox "ghost"/],
  ["sandbox remove web", 2, /no terminal to ask at/],
  ["agent show ghost", 3, /There is no agent "ghost"/],
  ["agent remove host-1", 2, /no terminal to ask at/],
  ["agent remove host-1 --yes", 1, /hosts sandboxes/],
  ["agent token create x --ttl never", 2, /--ttl never is no duration/],
  ["agent token revoke nonsense", 2, /nonsense is no token id/],
  ["agent token revoke tok_000000000000000000", 3, /There is no token/],
  ["context use nowhere", 3, /there is no context nowhere/],
  ["network list --context nowhere", 3, /there is no context nowhere/],
  ["network list --url ftp://x", 2, /ftp:\/\/x is no control plane's address/],
  ["network list --token wrong", 4, /The token is not known/],
  ["network list --url http://127.0.0.1:1", 1, /the control plane at http:\/\/127.0.0.1:1 cannot be reached: connection refused/],
  ["network list --url unix:/nonexistent/x.sock", 1, /cannot be reached: the socket does not exist/],
  ["sandbox exec web", 125, /there is no program to run/],
  ["sandbox exec ghost -- true", 125, /There is no sandbox "ghost"/],
  ["sandbox exec web --bogus -- true", 125, /there is no flag --bogus/],
  ["control", 2, /gstacks control is a program of its own/],
  ["agent run --help me", 0, /^$/]
]

/** One world for all: nothing here changes it, which is what is tested. */
class World extends Context.Service<World, TestWorld>()("test/cli/World") {
  static readonly layer = Layer.effect(World, Effect.gen(function*() {
    const world = yield* makeWorld
    yield* world.cli("network create dev")
    yield* world.cli("network attach dev backend --alias api --port 8080")
    return world
  }))
}

layer(World.layer, { excludeTestServices: true })("bad input", (it) => {
  it.effect.each(cases)("%s", ([line, code, says]) =>
    Effect.gen(function*() {
      const { cli, fake } = yield* World
      const version = fake.networks.get("dev")!.network.version
      const ended = yield* cli(line)
      assert.strictEqual(ended.code, code, ended.stderr)
      assert.match(ended.stderr, says)
      if (code === 0) return
      assert.strictEqual(ended.stdout, "")
      assert.match(ended.stderr, /^error: \S/)
      assert.match(ended.stderr, /\nnext: \S/)
      assert.notMatch(ended.stderr, /undefined|\[object|\bat .*:\d+:\d+/)
      assert.strictEqual(fake.networks.get("dev")?.network.version, version)
    }))

  it.effect.each(cases.filter(([, code]) => code !== 0))("%s --json: the problem document on stdout", ([line, code, says]) =>
    Effect.gen(function*() {
      const { cli } = yield* World
      const ended = yield* cli(["--json", ...line.split(" ")])
      assert.strictEqual(ended.code, code)
      const problem = JSON.parse(ended.stdout)
      assert.match(problem.detail, says)
      assert.match(problem.type, /^urn:gstacks:problem:[a-z-]+$/)
      assert.isString(problem.title)
      assert.isNotEmpty(problem.hint)
    }))

  it.effect("a group without a command shows its help on stderr and exits 2; gstacks alone shows help and exits 0", () =>
    Effect.gen(function*() {
      const { cli } = yield* World
      const group = yield* cli("network alias")
      assert.deepStrictEqual([group.code, group.stdout], [2, ""])
      assert.match(group.stderr, /Usage: gstacks network alias <command>[^]*\nerror: a command is needed\nnext: gstacks network alias --help\n$/)
      const root = yield* cli([])
      assert.strictEqual(root.code, 0)
      assert.include(root.stdout, "Usage: gstacks <command>")
    }))
})
