/** The page follows a server: what happens there appears here, and what goes wrong is said without losing what is on the screen. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFile } from "node:fs/promises"
import type { Browser, Locator } from "playwright-core"
import type { JournalEntry } from "../../src/domain/Sight.ts"
import { decodeRecording } from "../../src/domain/Sight/Recording.ts"
import { treeAt } from "../../src/domain/Sight/treeAt.ts"
import { type Inspector, launch, says, visit } from "./browser.ts"
import { FakeServer } from "./fakeServer.ts"
import { began, charts, journal, processes, recording } from "./sample.ts"

const past = journal.map(({ entry }) => entry)
const join = /^join machine networkJoin/
const address = "agent/networks/net_dev/join"
let browser: Browser
beforeAll(async () => { browser = await launch() })
afterAll(() => browser.close())

interface World extends Inspector {
  readonly server: FakeServer
  readonly link: Locator
  readonly state: Locator
  readonly button: (name: string) => Locator
  readonly happens: (seq: number, more: Partial<JournalEntry>) => void
}

/** Each test has a server and a page of its own, so that they can wait at the same time. */
const opened = (test: (world: World) => Promise<void>) => async () => {
  const server = await FakeServer.start(processes(2))
  server.append("host-1", past)
  const inspector = await visit(browser, server.url)
  try {
    await test({
      ...inspector, server,
      link: inspector.page.locator("header .source"),
      state: inspector.row(join).first().locator(".state"),
      button: (name) => inspector.page.getByRole("button", { name, exact: true }),
      happens: (seq, more) => server.append("host-1", [{ seq, at: began + seq * 1000, address, kind: "event", event: "meshd.lost", from: "member.joined", state: "member.failed", detail: null, ...more }])
    })
    inspector.assertClean()
  } finally {
    await inspector.page.context().close()
    server.close()
  }
}

describe.concurrent("following a server", () => {
  it("shows every process, takes the token out of the address, and keeps it for the tab", opened(async ({ link, page, row, server }) => {
    await says(link, "live")
    await row(join).first().waitFor()
    assert.strictEqual(await row(/^(control plane|agent host-[12])$/).count(), 3)
    assert.strictEqual(page.url(), `${server.origin}/inspector/`)
    await page.reload()
    await row(join).first().waitFor()
  }))

  it("shows what happens when it happens, with the actor's context and last error", opened(async ({ chart, happens, page, row, server, state }) => {
    server.context = { attempt: 3 }
    await row(join).first().click()
    await says(chart, "active: member.joined")
    await says(page.getByRole("region", { name: "Context" }), `"attempt": 3`)
    server.context = { attempt: 4 }
    happens(20, {})
    await says(state, "member.failed")
    await says(chart, "active: member.failed")
    await says(chart, "last taken: member: meshd.lost")
    await says(page.getByRole("region", { name: "Context" }), `"attempt": 4`)
    happens(21, { kind: "crashed", detail: "Error: no plan for this network" })
    await says(page.locator(".last-error"), "Error: no plan for this network")
    await page.getByRole("checkbox", { name: /only troubled/ }).check()
    await says(page.locator(".tree-panel .count"), "2 of 17")
  }))

  it("goes back into what the journal held before the page came, stays there while more happens, and returns", opened(async ({ button, happens, moment, page, row, state }) => {
    await row(join).first().click()
    await button("To the start").click()
    await button("Forward ▸").click()
    await says(state, "member.failed")
    await says(moment, "meshd.lost")
    happens(20, { event: "members.absent", state: "lingering" })
    await says(page.locator(".journal .count"), "1 of 10")
    await says(state, "member.failed")
    await button("Live").click()
    await says(state, "lingering")
    await button("Pause").click()
    happens(21, { event: "xstate.after.linger.networkJoin.lingering", from: "lingering", state: "leaving" })
    await says(page.locator(".journal .count"), "10 of 11")
    await says(state, "lingering")
    await button("Forward ▸").click()
    await says(state, "leaving")
  }))

  it("saves what was seen as a recording that leads to the same tree", opened(async ({ button, happens, page, row, server, state }) => {
    await row(join).first().waitFor()
    happens(20, {})
    await says(state, "member.failed")
    const [download] = await Promise.all([page.waitForEvent("download"), button("Save what was seen").click()])
    const saved = Result.getOrThrow(decodeRecording(await readFile(await download.path(), "utf8")))
    const process = saved.processes.find(({ agent }) => agent === "host-1")!
    const entries = saved.entries.filter(({ agent }) => agent === "host-1").map(({ entry }) => entry)
    assert.deepStrictEqual(treeAt(process.actors, entries, entries.length).map(({ address, state }) => [address, state]), server.processes.get("host-1")!.actors.map(({ address, state }) => [address, state]))
  }))

  it("leaves for a recording and comes back", opened(async ({ button, link, openRecording, page, row }) => {
    await row(join).first().waitFor()
    await openRecording(recording(0))
    await says(page.locator("header"), "recording.jsonl")
    assert.strictEqual(await row(/^alias/).count(), 2)
    await button("Back to the server").click()
    await says(link, "live")
    await says(page.locator(".tree-panel .count"), "17 of 17")
  }))

  it("learns the chart of a machine that begins later", opened(async ({ chart, page, row, server }) => {
    await row(join).first().waitFor()
    const process = server.processes.get("host-1")!
    process.charts = [...process.charts, { ...charts[0]!, machine: "later" }]
    server.append("host-1", [{ seq: 20, at: began + 20_000, address: "agent/later", kind: "started", event: null, from: null, state: null, detail: "later" }])
    await row(/^later machine later/).click()
    await says(chart, "Chart of later")
    await page.getByRole("button", { name: "Pause" }).click()
    await says(chart, "Chart of later")
  }))

  it.each([
    { what: "", count: 2 },
    { what: ", and has numbered beyond what the page has read", count: 25 }
  ])("goes on with a process that has begun anew$what", ({ count }) => opened(async ({ alert, button, page, row, server }) => {
    await row(join).first().waitFor()
    server.restart("host-1")
    server.append("host-1", Array.from({ length: count }, (_, index): JournalEntry =>
      ({ seq: index + 1, at: began + 60_000 + index, address: `agent${index === 0 ? "" : "/networks"}`, kind: index < 2 ? "started" : "contained", event: null, from: null, state: null, detail: "oneForOne" })))
    const all = journal.length + 1 + count
    await says(page.locator(".journal .count"), `${all} of ${all}`)
    await says(alert, "The agent host-1 was started anew")
    assert.strictEqual(await row(join).count(), 1)
    for (let steps = 0; steps <= count; steps++) await button("◂ Back").click()
    assert.strictEqual(await row(join).count(), 2)
  })())
})

describe.concurrent("trouble with the server", () => {
  it("that is away, or answers nonsense, is said, and tried again, with everything still on the screen", opened(async ({ alert, chart, happens, link, row, server, state }) => {
    await row(join).first().click()
    await says(chart, "Chart of networkJoin")
    server.failure = "silent"
    happens(19, { state: "member.joined" }) // answers the poll that waits: the next one fails
    await says(link, "connection lost")
    await says(alert, "does not answer. What is shown is as it was last seen; the next try is in")
    await says(chart, "Chart of networkJoin")
    server.failure = undefined
    happens(20, {})
    await says(link, "live")
    await says(state, "member.failed")
    assert.strictEqual(await alert.count(), 0)
    server.failure = "nonsense"
    happens(21, {})
    await says(alert, "is not what this page understands")
    server.failure = undefined
    await says(link, "live")
    await says(chart, "Chart of networkJoin")
  }))

  it("that refuses the token leads to a form, and the new token goes on with what is shown", opened(async ({ alert, chart, happens, link, page, row, server }) => {
    await row(join).first().click()
    server.failure = "refused"
    happens(20, {})
    await says(alert, "The token is not accepted: The token has expired.")
    await says(chart, "Chart of networkJoin")
    const token = page.getByLabel("Token")
    await token.fill("wrong")
    await token.press("Enter")
    await says(link, "not logged in")
    server.failure = undefined
    await page.getByLabel("Token").fill(server.token)
    await page.getByLabel("Token").press("Enter")
    await says(link, "live")
    await says(chart, "Chart of networkJoin")
    assert.strictEqual(await page.getByLabel("Token").count(), 0)
  }))

  it("of one agent stands at that agent, and the rest goes on", opened(async ({ happens, link, row, server, state }) => {
    await row(join).first().waitFor()
    server.processes.get("host-2")!.problem = "Agent host-2 is not connected."
    await row(/^agent host-2 problem: Agent host-2 is not connected/).waitFor()
    happens(20, {})
    await says(state, "member.failed")
    await says(link, "live")
  }))

  it("is not asked anything without a token: the page asks for one", async () => {
    const server = await FakeServer.start([])
    const { assertClean, page } = await visit(browser, `${server.origin}/inspector/`)
    await page.getByLabel("Token").waitFor()
    assertClean()
    await page.context().close()
    server.close()
  })
})
