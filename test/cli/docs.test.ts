/** docs/cli.md says what the command does, and knows every word of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { cliPage, cliPagePath } from "../../scripts/docs-cli.ts"

describe("docs/cli.md", () => {
  it.live("is what the command tree says; when stale: node scripts/docs-cli.ts", () =>
    Effect.gen(function*() {
      assert.strictEqual(readFileSync(cliPagePath, "utf8"), yield* cliPage)
    }))

  it.live("has the exact words of the product", () =>
    Effect.gen(function*() {
      const page = yield* cliPage
      const commands = [
        "network create", "network list", "network show", "network delete", "network attach", "network detach", "network alias add", "network alias list",
        "network alias remove", "network alias move", "network policy allow", "network policy list", "network policy revoke", "network resolve", "network test",
        "sandbox run", "sandbox list", "sandbox show", "sandbox exec", "sandbox logs", "sandbox stop", "sandbox remove", "agent list", "agent show", "agent remove",
        "agent run", "agent token create", "agent token list", "agent token revoke", "login", "logout", "whoami", "context list", "context use", "doctor",
        "debug actors", "debug actor", "control", "dev up", "dev down", "dev status", "dev exec"
      ]
      assert.deepStrictEqual([...page.matchAll(/^### gstacks (.+)$/gm)].map(([, name]) => name).sort(), [...commands].sort())
      assert.notMatch(page, /[^\n -~]/, "plain ASCII")
      assert.notMatch(page, /undefined/)
    }))
})
