/** The page as a real control plane serves it: its own actors and an agent's, live, with a token that can do nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { controlPlane, serve, temporaryFolder } from "../control/server.ts"
import { launch, says, visit } from "./browser.ts"

const browser = Effect.acquireRelease(Effect.promise(launch), (browser) => Effect.promise(() => browser.close()))

describe("the page of a control plane", () => {
  it.live("shows its actors as agents come and go, and no secret", () => Effect.gen(function*() {
    const folder = yield* temporaryFolder
    symlinkSync(join(import.meta.dirname, "../../dist/inspector"), join(folder, "inspector"))
    yield* Effect.gen(function*() {
      const { agent, api, token: admin, url } = yield* serve(folder)
      const { secret } = yield* api.tokens.create({ payload: { kind: "inspector", name: "inspector", ttlSeconds: 600 } })
      const connected = yield* agent("host-1")
      const chromium = yield* browser
      yield* Effect.promise(async () => {
        const { assertClean, chart, page, row } = await visit(chromium, `${url}/inspector/#token=${secret}`)
        const session = row(/^agentSession\/agt_\w+ machine agentSession/)
        await says(session.locator(".state"), "open.online")
        await session.click()
        await says(chart, "active: open.online")
        await says(chart, "Chart of agentSession")
        await says(page.getByRole("listbox", { name: "Entries of the journal" }), "open.synchronizing")
        const seen = await page.evaluate(() => document.documentElement.outerHTML)
        for (const hidden of [admin, secret, connected.credential]) assert.notInclude(seen, hidden)
        await Effect.runPromise(api.agents.remove({ params: { agent: "host-1" } }))
        await session.waitFor({ state: "detached" })
        assertClean()
      })
    }).pipe(Effect.provide(controlPlane(folder)))
  }).pipe(Effect.scoped))
})
