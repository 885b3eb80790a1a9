/**
 * A real browser for the tests of the inspector. Each page notes every request, every error and every breach of the content policy,
 * so that a test can say at its end that there was none.
 */
import { assert } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core"
import { encodeRecording, type Recording } from "../../src/domain/Sight/Recording.ts"

export const launch = (): Promise<Browser> => chromium.launch({
  executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
  // Chromium's own sandbox does not work for root.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : []
})

export interface Inspector {
  readonly page: Page
  readonly tree: Locator
  readonly row: (name: string | RegExp) => Locator
  readonly entries: Locator
  /** The text that says which moment is shown. */
  readonly moment: Locator
  readonly chart: Locator
  readonly alert: Locator
  readonly open: (name: string, content: string | Buffer) => Promise<void>
  /** Drops a file made in the browser of texts, or of a text repeated, so that a large one need not travel there. */
  readonly drop: (name: string, parts: ReadonlyArray<string | readonly [text: string, times: number]>) => Promise<void>
  readonly openRecording: (recording: Recording) => Promise<void>
  /** Fails when the page asked anyone but its own server, or had an error. */
  readonly assertClean: () => void
}

/** The page as built, from the disk or at an address. */
export const fromDisk = pathToFileURL(join(import.meta.dirname, "../../dist/inspector/index.html")).href

export const visit = async (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Inspector> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const requests: Array<string> = []
  const errors: Array<string> = []
  page.on("request", (request) => requests.push(request.url()))
  page.on("pageerror", (error) => errors.push(String(error)))
  page.on("console", (message) => {
    // A server that refuses or is away is noted by the browser itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(message.text())
  })
  await page.goto(url)
  const open = (name: string, content: string | Buffer) => page.locator("input[type=file]").setInputFiles({ name, mimeType: "application/jsonl", buffer: Buffer.from(content) })
  const own = url.startsWith("file:") ? "file://" : new URL(url).origin
  return {
    page,
    tree: page.getByRole("tree"),
    row: (name) => page.getByRole("treeitem", { name }),
    entries: page.getByRole("listbox", { name: "Entries of the journal" }),
    moment: page.locator(".told"),
    chart: page.locator("figure.chart"),
    alert: page.getByRole("alert").filter({ hasText: /./ }),
    open,
    drop: (name, parts) => page.evaluate(({ name, parts }) => {
      const transfer = new DataTransfer()
      transfer.items.add(new File(parts.map((part) => typeof part === "string" ? part : part[0].repeat(part[1])), name))
      for (const type of ["dragover", "drop"]) document.querySelector(".page")!.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }))
    }, { name, parts }),
    openRecording: (recording) => open("recording.jsonl", encodeRecording(recording)),
    assertClean: () => {
      assert.deepStrictEqual(requests.filter((request) => !request.startsWith(own) && !request.startsWith("data:") && !request.startsWith("blob:")), [])
      assert.deepStrictEqual(errors, [])
    }
  }
}

/** Waits until a locator says what is expected, and fails with what it says instead. */
export const says = async (locator: Locator, expected: string | RegExp): Promise<void> => {
  const matching = locator.filter({ hasText: expected }).first()
  await matching.waitFor({ state: "attached" }).catch(async () => {
    const found = await locator.first().textContent({ timeout: 500 }).catch(() => "nothing")
    assert.fail(`expected "${expected}", found "${found}"`)
  })
}
