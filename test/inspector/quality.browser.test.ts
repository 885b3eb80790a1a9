/** What the page promises beside what it shows: usable by everyone, in any theme and width; smooth with many actors; no secret. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import axe from "axe-core"
import type { Browser, Page } from "playwright-core"
import { fromDisk, type Inspector, launch, says, visit } from "./browser.ts"
import { FakeServer } from "./fakeServer.ts"
import { began, processes, recording } from "./sample.ts"

let browser: Browser
beforeAll(async () => { browser = await launch() })
afterAll(() => browser.close())

const faults = async (page: Page): Promise<ReadonlyArray<string>> => {
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }))
  return violations.flatMap(({ id, nodes }) => nodes.map(({ failureSummary, html }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`))
}
const withActor = async (inspector: Inspector): Promise<void> => {
  await inspector.openRecording(recording(60))
  await inspector.row(/^join/).first().click()
  await says(inspector.chart, "Chart of networkJoin")
  await inspector.page.getByText("The chart as a list").click()
}

describe.each([
  { colorScheme: "light", width: 1280 }, { colorScheme: "dark", width: 1280 }, { colorScheme: "light", width: 400 }
] as const)("$colorScheme, $width wide", ({ colorScheme, width }) => {
  it("has no fault that axe finds, full, stepping and in trouble (and, where it is narrow, empty), and nothing is wider than the page", async () => {
    const inspector = await visit(browser, fromDisk, { colorScheme, viewport: { width, height: 800 }, bypassCSP: true })
    await inspector.page.addScriptTag({ content: axe.source })
    if (width < 1280) assert.deepStrictEqual(await faults(inspector.page), [])
    await withActor(inspector)
    await inspector.page.getByRole("button", { name: "◂ Back" }).click()
    await inspector.open("bad.jsonl", "bad")
    await says(inspector.alert, "no recording")
    assert.deepStrictEqual(await faults(inspector.page), [])
    assert.isAtMost(await inspector.page.evaluate(() => document.documentElement.scrollWidth), width)
    await inspector.page.context().close()
  })
})

describe("the theme", () => {
  it("follows the system until one is chosen, which stays", async () => {
    const inspector = await visit(browser, fromDisk, { colorScheme: "dark" })
    const ground = () => inspector.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await ground()
    await inspector.page.getByLabel("colours").selectOption("light")
    const light = await ground()
    assert.notStrictEqual(light, dark)
    await inspector.page.reload()
    assert.strictEqual(await ground(), light)
    await inspector.page.context().close()
  })
})

describe("many actors", () => {
  type Steps = ReadonlyArray<() => Promise<unknown>>

  /**
   * The most processor time, in ms, that the page's thread spent on any one of the steps, median of three rounds. That bounds how
   * long the page could not answer, and other programs on the machine do not change it.
   */
  const busiest = async (page: Page, steps: Steps): Promise<number> => {
    const session = await page.context().newCDPSession(page)
    await session.send("Performance.enable", { timeDomain: "threadTicks" })
    const spent = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")!.value * 1000
    const rounds: Array<number> = []
    for (let round = 0; round < 3; round++) {
      let most = 0
      for (const step of steps) {
        const before = await spent()
        await step()
        most = Math.max(most, await spent() - before)
      }
      rounds.push(most)
    }
    await session.detach()
    assert.isAbove(rounds[0]!, 0)
    return rounds.sort((a, b) => a - b)[1]!
  }

  it("stay smooth, 10,000 of them: scrolling, filtering, stepping", async () => {
    const count = 10_000
    const { entries, moment, openRecording, page, tree } = await visit(browser, fromDisk)
    await openRecording(recording(count))
    const counted = page.locator(".tree-panel .count")
    await says(counted, `${count + 15} of ${count + 15}`)
    const filter = page.getByRole("searchbox", { name: "Filter actors by text" })
    const drawn = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    const scrolledTo = (part: number) => async () => {
      await tree.evaluate((element, part) => { element.scrollTop = element.scrollHeight * part }, part)
      await drawn()
    }
    const pressed = (key: string) => async () => {
      await entries.press(key)
      await drawn()
    }
    const times = {
      scrolling: await busiest(page, [0, 0.01, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 0].map(scrolledTo)),
      filtering: await busiest(page, [
        ...[..."failed"].map((letter) => () => filter.press(letter)),
        () => says(counted, `${count / 50} of`),
        () => filter.fill(""),
        () => says(counted, `${count + 15} of`)
      ]),
      stepping: await busiest(page, ["Home", "ArrowDown", "ArrowDown", "End"].map(pressed))
    }
    await says(moment, "alias.permitted")
    assert.isAtMost(await page.getByRole("treeitem").count(), 80)
    for (const [what, time] of Object.entries(times)) assert.isBelow(time, 100, `${what} keeps the page busy`)
    await page.context().close()
  })
})

describe("many actors that are followed", () => {
  it("are drawn once for all that a server tells at a time, and only those in sight", async () => {
    const count = 1000
    const server = await FakeServer.start(processes(count))
    const { assertClean, page, row } = await visit(browser, server.url)
    const join = row(/^join/).first()
    await join.click()
    await page.evaluate(() => {
      const seen = Object.assign(globalThis, { drawings: 0 })
      new MutationObserver(() => { seen.drawings++ }).observe(document.querySelector(".tree-panel")!, { subtree: true, childList: true, characterData: true, attributes: true })
    })
    const happened = (index: number, address: string, state: string) =>
      ({ seq: index + 10, at: began + index, address: `agent/networks/net_dev/${address}`, kind: "event" as const, event: "happened", from: null, state, detail: null })
    server.append("host-1", [...Array.from({ length: count }, (_, index) => happened(index, `alias/api-${index}:8080`, "opening")), happened(count, "join", "member.failed")])
    await says(join.locator(".state"), "member.failed")
    const drawings = await page.evaluate(() => (globalThis as unknown as { readonly drawings: number }).drawings)
    assert.isAbove(drawings, 0)
    assert.isAtMost(drawings, 20, `for ${count} changes`)
    assert.isAtMost(await page.getByRole("treeitem").count(), 80)
    assertClean()
    await page.context().close()
    server.close()
  })
})

describe("the token", () => {
  it("is nowhere in the page, its address, its history or what it stores beyond the tab", async () => {
    const server = await FakeServer.start(processes(1))
    const { page, row } = await visit(browser, server.url)
    await row(/^join/).first().click()
    const seen = await page.evaluate(() => [document.documentElement.outerHTML, location.href, document.referrer, document.cookie, JSON.stringify(localStorage), JSON.stringify(history.state)].join("\n"))
    assert.include(seen, "networkJoin")
    assert.notInclude(seen, server.token)
    await page.context().close()
    server.close()
  })
})
