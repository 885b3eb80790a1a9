/**
 * The README's story: two sandboxes on two hosts, one name, refused until a rule allows it and again once the rule is gone. Every
 * command is one that a user would type; the first that does not do what the story says ends it.
 */
import { Effect, Schema } from "effect"
import { existsSync } from "node:fs"
import { say, type Terminal } from "./terminal.ts"

export class StoryBroken extends Schema.TaggedError<StoryBroken>()("StoryBroken", { message: Schema.String }) {}

const url = "http://api.dev.gstacks:8080"
const curlRefused = 7
const fromWeb = ["sandbox", "exec", "web", "--", "curl", "-sSI", "-m", "5", url]

/** Where the sandbox's PATH would find it. */
const hasPython = ["/usr/local/bin", "/usr/bin", "/bin"].some((folder) => existsSync(`${folder}/python3`))

const nodeServer = `require("node:http").createServer((_, response) => response.end("hello from backend\\n")).listen(8080)`

/** Options and program of the sandbox that serves HTTP: Python where the machine has one, else the Node of the checkout. */
const httpServer = (node: string) =>
  hasPython
    ? ["--", "python3", "-m", "http.server", "8080"]
    : ["--bind", `${node}:/run/node`, "--", "/run/node", "-e", nodeServer]

const expect = Effect.fn("demo.expect")(function*(terminal: Terminal, code: number, ...args: ReadonlyArray<string>) {
  const ran = yield* terminal.type(...args)
  if (ran.code !== code) {
    return yield* new StoryBroken({ message: `gstacks ${args.join(" ")} ended with exit code ${ran.code}, not ${code}` })
  }
  return ran
})

const ruleId = (terminal: Terminal) =>
  Effect.gen(function*() {
    const { stdout } = yield* terminal.ask("network", "policy", "list", "dev", "-o", "name")
    const rule = stdout.trim().split("\n").at(0) ?? ""
    return rule === "" ? yield* new StoryBroken({ message: "the rule is not listed" }) : rule
  })

/** Only the second attachment waits for more than its receipt: hosts join a network's mesh when they get their first sandbox in it. */
export const story = Effect.fn("demo.story")(function*(terminal: Terminal, node: string) {
  yield* expect(terminal, 0, "network", "create", "dev")
  yield* expect(terminal, 0, "sandbox", "run", "web", "--agent", "host-1", "--", "sleep", "infinity")
  yield* expect(terminal, 0, "sandbox", "run", "backend", "--agent", "host-2", ...httpServer(node))
  yield* expect(terminal, 0, "network", "attach", "dev", "web")
  yield* expect(terminal, 0, "network", "attach", "dev", "backend", "--alias", "api", "--port", "8080", "--wait=ready")

  yield* say("\nThe name is there, but no rule allows it: refused.")
  yield* expect(terminal, curlRefused, ...fromWeb)
  yield* expect(terminal, 0, "network", "policy", "allow", "dev", "--from", "sandbox:web", "--to", "api", "--port", "8080")
  yield* expect(terminal, 0, ...fromWeb)

  yield* expect(terminal, 0, "network", "resolve", "dev", "api")
  yield* expect(terminal, 0, "network", "test", "dev", "sandbox:web", "api:8080")
  yield* expect(terminal, 0, "network", "policy", "revoke", "dev", yield* ruleId(terminal))
  yield* expect(terminal, curlRefused, ...fromWeb)
})
