/** The row `inspector`: the page in a real browser, while it follows a process with many live actors and its tree is scrolled. Needs Chromium. */
import { execFileSync, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type Browser, chromium } from "playwright-core"
import { below, type Figure, product } from "./figures.ts"

const server = fileURLToPath(new URL("inspector/server.ts", import.meta.url))
const actors = 1000
const changes = 500
const settleMs = 2_000
const watchMs = 10_000

/** Scrolls the tree by a row at each frame, and notes when frames came. */
const scroll = `{
  globalThis.frames = []
  const tree = document.querySelector('[role=tree]')
  let down = 24
  const frame = (at) => {
    globalThis.frames.push(at)
    if (tree.scrollTop + tree.clientHeight + down > tree.scrollHeight || tree.scrollTop + down < 0) down = -down
    tree.scrollTop += down
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}`

interface TraceEvent { readonly name: string; readonly ph: string; readonly pid: number; readonly tid: number; readonly tdur?: number; readonly args?: { readonly name?: string } }

/** Processor time, in ms, of each task of the page's thread: other programs on the machine do not change it. */
const tasksOf = (trace: Buffer): ReadonlyArray<number> => {
  const events = (JSON.parse(trace.toString()) as { readonly traceEvents: ReadonlyArray<TraceEvent> }).traceEvents
  const pages = new Set(events.filter(({ args, name }) => name === "thread_name" && args?.name === "CrRendererMain").map(({ pid, tid }) => `${pid}:${tid}`))
  return events.filter(({ name, ph, pid, tid }) => ph === "X" && name === "ThreadControllerImpl::RunTask" && pages.has(`${pid}:${tid}`)).map(({ tdur = 0 }) => tdur / 1000)
}

const round = async (browser: Browser, url: string) => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  await page.goto(url)
  await page.getByText(`${actors + 1} of ${actors + 1}`).waitFor()
  await setTimeout(settleMs)
  await browser.startTracing(page, { categories: ["toplevel"] })
  await page.evaluate(scroll)
  await setTimeout(watchMs)
  const frames = await page.evaluate("frames") as ReadonlyArray<number>
  const tasks = tasksOf(await browser.stopTracing())
  const rows = await page.getByRole("treeitem").count()
  await page.close()
  return {
    longest: Math.max(...tasks), busy: tasks.reduce((all, each) => all + each, 0) / watchMs * 100, rows, perSecond: frames.length / watchMs * 1000,
    gap: Math.max(...frames.slice(1).map((at, index) => at - frames[index]!))
  }
}

export const measureInspector = async (rounds: number, found: (figure: Figure) => void): Promise<void> => {
  const child = spawn(process.execPath, [server, String(actors), String(changes)], { stdio: ["pipe", "pipe", "inherit"] })
  const [url] = await Promise.race([createInterface({ input: child.stdout })[Symbol.asyncIterator]().next().then(({ value }) => [value as string]), setTimeout(30_000, [undefined])])
  const browser = await chromium.launch({
    executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] // Chromium's own sandbox does not work for root
  })
  try {
    if (url === undefined) throw new Error("the process that serves the page did not begin within 30 s")
    const seen: Array<Awaited<ReturnType<typeof round>>> = []
    for (let n = 0; n < rounds; n++) seen.push(await round(browser, url))
    const figure = (what: string, unit: string, of: keyof (typeof seen)[number], more: Partial<Figure> = {}): void =>
      found({ row: "inspector", what, unit, ours: { name: product, samples: seen.map((each) => each[of]) }, references: [], foreignLoad: [], ...more })
    figure("longest task of the page, processor time", "ms", "longest", { aim: below(50) })
    figure("frames a second", "1/s", "perSecond")
    figure("longest time between two frames", "ms", "gap")
    figure("processor time of the page's thread, of one processor", "%", "busy")
    figure("of the tree in the document", "rows", "rows")
  } finally {
    child.stdin.end()
    await browser.close()
  }
}
