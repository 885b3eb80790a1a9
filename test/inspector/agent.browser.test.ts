/** The page as a real agent serves it, while what the agent depends on goes away and comes back. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import * as Agent from "../../src/agent/Agent.ts"
import { Inspector } from "../../src/agent/inspector/Inspector.ts"
import { FakeHost } from "../agent/fakeDriver.ts"
import { configIn, enrolled, temporaryFolder } from "../agent/settings.ts"
import { fakeMeshd } from "../harness/fakeMeshd.ts"
import { launch, says, visit } from "./browser.ts"

const credential = "the-credential-of-this-agent"

const agent = Effect.gen(function*() {
  const folder = yield* temporaryFolder
  enrolled(folder, "agt_000000000000000000", credential)
  symlinkSync(join(import.meta.dirname, "../../dist/inspector"), join(folder, "inspector"))
  const meshd = yield* fakeMeshd(join(folder, "meshd.sock"))
  const context = yield* Layer.build(Agent.servicesWith(new FakeHost().driver).pipe(Layer.provideMerge(configIn(folder))))
  yield* Effect.provideContext(Agent.start, context)
  const { token, url } = yield* Context.get(context, Inspector).open(60_000)
  return { meshd, token, url }
})
const browser = Effect.acquireRelease(Effect.promise(launch), (browser) => Effect.promise(() => browser.close()))

describe("the page of an agent", () => {
  it.live("shows its machines as they move, and no secret", () => Effect.gen(function*() {
    const { meshd, token, url } = yield* agent
    const chromium = yield* browser
    yield* Effect.promise(async () => {
      const { assertClean, chart, moment, page, row } = await visit(chromium, `${url}/inspector/#token=${token}`)
      const dataplane = row(/^dataplane machine dataPlane/)
      const state = dataplane.locator(".state")
      await says(state, "session.ready")
      await dataplane.click()
      await says(chart, "active: session.ready")
      await says(page.getByRole("region", { name: "Context" }), `"generation"`)
      await meshd.crash()
      await says(chart, "active: backoff")
      await says(chart, "last taken: session: meshd.lost")
      await meshd.start()
      await says(chart, "active: session.ready")
      await page.getByRole("checkbox", { name: "only the chosen actor" }).check()
      await page.getByRole("button", { name: "To the start" }).click()
      await page.getByRole("button", { name: "Forward ▸" }).click()
      await says(moment, "agent/dataplane: started")
      assert.strictEqual(await row(/^link machine agentLink/).count(), 0)
      await page.getByRole("button", { name: "Live" }).click()
      await row(/^link machine agentLink/).click()
      await says(chart, "Chart of agentLink")
      const seen = await page.evaluate(() => document.documentElement.outerHTML)
      for (const secret of [credential, token]) assert.notInclude(seen, secret)
      assertClean()
    })
  }).pipe(Effect.scoped))
})
