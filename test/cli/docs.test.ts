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
        "network alias remove", "network alias move", "network policy allow", "network policy list", "network policy replay", "network policy revoke", "network policy explain", "network policy who-can", "network policy what-can", "network policy export", "network policy apply", "network policy diff", "network resolve", "network test", "network flows", "network metrics", "network limit set", "network limit list", "network limit clear", "network publisher allow", "network publisher list", "network publisher revoke", "network tests list", "network tests show", "network tests compare", "network tests cancel", "network trace",
        "sandbox run", "sandbox list", "sandbox show", "sandbox exec", "sandbox logs", "sandbox stop", "sandbox remove", "agent list", "agent show", "agent metrics", "agent remove",
        "agent run", "agent token create", "agent token list", "agent token revoke", "login", "logout", "whoami", "context list", "context use", "doctor",
        "mesh join", "mesh forward", "mesh publish", "mesh status", "mesh close", "mesh unpublish", "mesh exec", "mesh leave", "mesh revoke",
        "debug actors", "debug actor", "debug record", "debug replay", "debug inspect", "control", "dev up", "dev down", "dev status", "dev exec"
      ]
      assert.deepStrictEqual([...page.matchAll(/^### gstacks (.+)$/gm)].map(([, name]) => name).sort(), [...commands].sort())
      assert.notMatch(page, /[^\n -~]/, "plain ASCII")
      assert.notMatch(page, /undefined/)
    }))
})
