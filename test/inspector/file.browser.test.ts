/** A recording in the page, with no server at all: the page itself comes from the disk. */
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFile } from "node:fs/promises"
import type { Browser } from "playwright-core"
import { decodeRecording, encodeRecording } from "../../src/domain/Sight/Recording.ts"
import { fromDisk, type Inspector, launch, says, visit } from "./browser.ts"
import { machine, recording } from "./sample.ts"

let browser: Browser
let inspector: Inspector
beforeAll(async () => { browser = await launch() })
afterAll(() => browser.close())
beforeEach(async () => {
  inspector = await visit(browser, fromDisk)
  return async () => {
    inspector.assertClean()
    await inspector.page.context().close()
  }
})

const join = /^join machine networkJoin/
/** The states whose boxes are lit. */
const lit = () => inspector.chart.locator(".state.active .state-name").allTextContents()
const marked = () => inspector.chart.locator("figcaption .legend").last()

describe("a recording", () => {
  it("shows the tree, and the chosen actor's chart with its active states and last transition", async () => {
    await inspector.openRecording(recording())
    await says(inspector.page.locator("header"), /recording recording\.jsonl/)
    await inspector.row(join).first().click()
    await says(inspector.chart, "Chart of networkJoin")
    assert.deepStrictEqual(await lit(), ["● member", "● joined"])
    await says(marked(), "last taken: member: node.changed")
    await says(inspector.page.getByRole("region", { name: "What it can accept now" }), /meshd\.lost to member\.failed, from outside/)
    const events = inspector.page.getByRole("table").locator("tbody tr")
    assert.strictEqual(await events.count(), 4)
    await says(events.first(), "member.waitingForPeers → member.joined")
    await inspector.page.getByText("The chart as a list").click()
    await says(inspector.page.locator(".chart-text li", { hasText: "joined, active" }).last(), /joined, active/)
  })

  it("is stepped through by buttons, the list, the scrubber and an event of the actor", async () => {
    await inspector.openRecording(recording())
    await inspector.row(join).first().click()
    const { page } = inspector
    const button = (name: string) => page.getByRole("button", { name, exact: true })
    await button("To the start").click()
    await says(inspector.moment, "before the first entry")
    await says(inspector.row(join).first().locator(".state"), "member.joined")
    await button("Forward ▸").click()
    await says(inspector.moment, "meshd.lost")
    await says(inspector.row(join).first().locator(".state"), "member.failed")
    assert.deepStrictEqual(await lit(), ["● member", "● failed"])
    await says(marked(), "last taken: member: meshd.lost")
    await button("Forward ▸").click()
    await says(inspector.row(/^alias\/api-0/).first(), "listening (restarting)")
    await button("◂ Back").click()
    await says(inspector.row(/^alias\/api-0/).first(), "aliasListener listeningfor")
    await inspector.entries.getByRole("option").nth(5).click()
    assert.deepStrictEqual(await lit(), ["● member", "● joining"])
    await page.getByRole("slider").press("ArrowRight")
    assert.deepStrictEqual(await lit(), ["● member", "● waitingForPeers"])
    await page.getByRole("checkbox", { name: "only the chosen actor" }).check()
    assert.strictEqual(await inspector.entries.getByRole("option").count(), 4)
    await button("◂ Back").click()
    await button("◂ Back").click()
    assert.deepStrictEqual(await lit(), ["● member", "● failed"])
    await page.getByRole("button", { name: /Show the moment/ }).first().click()
    assert.deepStrictEqual(await lit(), ["● member", "● failed"])
    await button("To the end").click()
    await says(inspector.moment, "the end")
    assert.deepStrictEqual(await lit(), ["● member", "● joined"])
  })

  it("is used by keys alone", async () => {
    await inspector.openRecording(recording())
    const { page, tree } = inspector
    await page.keyboard.press("Tab")
    for (let presses = 0; presses < 12 && !await tree.evaluate((element) => element === document.activeElement); presses++) await page.keyboard.press("Tab")
    const active = () => page.evaluate(() => document.getElementById(document.activeElement?.getAttribute("aria-activedescendant") ?? "")?.textContent?.replace(/^[▾▸]/, "") ?? "")
    assert.strictEqual(await active(), "control plane")
    await page.keyboard.type("agent host-1")
    assert.match(await active(), /^agent host-1/)
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"]) await page.keyboard.press(key)
    assert.match(await active(), /^agentsupervisor/)
    assert.strictEqual(await inspector.row(/^agent supervisor/).first().getAttribute("aria-expanded"), "true")
    await page.keyboard.press("ArrowLeft")
    assert.strictEqual(await inspector.row(/^agent supervisor/).first().getAttribute("aria-expanded"), "false")
    await page.keyboard.press("*")
    await page.keyboard.type("join")
    await page.keyboard.press("Enter")
    await says(inspector.chart, "Chart of networkJoin")
    await page.keyboard.press("End")
    assert.match(await active(), /^sbx_1/)
    await page.keyboard.press("Home")
    assert.strictEqual(await active(), "control plane")
    await inspector.entries.focus()
    for (const key of ["Home", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key)
    await says(inspector.moment, "restarting")
    const outlined = await inspector.entries.evaluate((element) => getComputedStyle(element).outlineStyle)
    assert.strictEqual(outlined, "solid")
  })

  it("is dropped onto the page, and saved as it came", async () => {
    await inspector.drop("dropped.jsonl", [encodeRecording(recording())])
    await says(inspector.page.locator("header"), "dropped.jsonl")
    const [download] = await Promise.all([inspector.page.waitForEvent("download"), inspector.page.getByRole("button", { name: "Save what was seen" }).click()])
    const saved = Result.getOrThrow(decodeRecording(await readFile(await download.path(), "utf8")))
    assert.deepStrictEqual({ ...saved, at: 0, product: "" }, { ...recording(), at: 0, product: "" })
  })
})

describe("a bad file", () => {
  const lines = encodeRecording(recording()).trimEnd().split("\n")
  const bad: ReadonlyArray<readonly [what: string, said: RegExp, ...parts: ReadonlyArray<string | readonly [string, number]>]> = [
    ["of another kind", /no recording/, "hello"],
    ["of another version", /has version 9; this program reads version 1/, `{"_tag":"Header","format":"gstacks-journal","version":9}`],
    ["cut off", /cut off: 7 entries/, lines.slice(0, -3).join("\n")],
    ["with a line of 60 MB", /Line 2/, `${lines[0]}\n{"_tag":"Entry","x":"`, ["x", 60 << 20], `"}\n${lines.at(-1)}`],
    ["with JSON a million deep", /Line 2/, `${lines[0]}\n`, ["[", 1_000_000], `\n${lines.at(-1)}`],
    ["of 65 MB", /The file is too large: 65 MB, at most 64 are read\./, lines[0]!, ["\n", (65 << 20) - lines[0]!.length]]
  ]

  it("is refused in plain words, and what is shown stays", async () => {
    await inspector.openRecording(recording())
    await inspector.row(join).first().click()
    for (const [what, said, ...parts] of bad) {
      await inspector.drop(`${what}.jsonl`, parts)
      await says(inspector.alert, said)
      await says(inspector.alert, `${what}.jsonl`)
      await says(inspector.chart, "Chart of networkJoin")
      await inspector.alert.getByRole("button", { name: "Dismiss" }).click()
    }
  })

  it("with script in every name is text", async () => {
    const script = `"><img src=x onerror="window.owned=1"><script>window.owned=1</script>`
    const whole = recording()
    const [control, ...others] = whole.processes
    const chart = { machine: script, states: [{ path: script, parent: null, type: "atomic" as const, initial: true, invokes: [script] }], transitions: [{ source: script, label: script, event: script, guard: script, targets: [] }] }
    await inspector.openRecording({
      ...whole, product: script,
      processes: [{ ...control!, charts: [chart], actors: [machine(script, script, script, { lastError: script })] }, ...others.map((process) => ({ ...process, agent: process.agent === "host-1" ? process.agent : script }))]
    })
    await inspector.row(/^"><img/).first().click()
    await says(inspector.chart, "Chart of \">")
    assert.isUndefined(await inspector.page.evaluate(() => (globalThis as { owned?: number }).owned))
    assert.strictEqual(await inspector.page.locator("img, main script").count(), 0)
  })

  it("with a chart too large to show says so", async () => {
    const states = Array.from({ length: 5000 }, (_, index) => ({ path: `s${index}`, parent: index === 0 ? null : `s${index - 1}`, type: "compound" as const, initial: true, invokes: [] }))
    await inspector.openRecording({ at: 0, product: "p", entries: [], processes: [{ agent: null, seq: 0, charts: [{ machine: "m", states, transitions: [] }], actors: [machine("a", "m", "s0")] }] })
    await inspector.row(/^a machine m/).click()
    await says(inspector.chart, "A chart of 5000 states and 0 transitions is too large to show.")
  })
})
