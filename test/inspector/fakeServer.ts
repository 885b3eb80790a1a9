/**
 * A server that answers the debug paths of the HTTP API from memory, and hands out the built page under the policy that real ones
 * send. A test tells it what happens, and how it fails.
 */
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { ActorDetail, ActorState, JournalEntry } from "../../src/domain/Sight.ts"
import { acceptedEvents } from "../../src/domain/Sight/acceptedEvents.ts"
import { activePaths } from "../../src/domain/Sight/activePaths.ts"
import type { RecordedProcess } from "../../src/domain/Sight/Recording.ts"
import { treeAt } from "../../src/domain/Sight/treeAt.ts"

const files = join(import.meta.dirname, "../../dist/inspector")
const types: Readonly<Record<string, string>> = { "index.html": "text/html; charset=utf-8", "inspector.js": "text/javascript; charset=utf-8", "inspector.css": "text/css; charset=utf-8" }
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

interface Process { actors: ReadonlyArray<ActorState>; charts: RecordedProcess["charts"]; entries: Array<JournalEntry>; problem: string | null; life: number }

export class FakeServer {
  readonly token = "the-token-of-this-test"
  readonly processes = new Map<string | null, Process>()
  /** Instead of an answer: nothing at all, a refusal, or nonsense. */
  failure: "silent" | "refused" | "nonsense" | undefined = undefined
  /** Shown in every actor's detail. */
  context: ActorDetail["context"] = {}
  readonly #waiting = new Set<() => void>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  static readonly start = async (processes: ReadonlyArray<RecordedProcess>): Promise<FakeServer> => {
    const server = new FakeServer()
    for (const { actors, agent, charts } of processes) server.processes.set(agent, { actors, charts, entries: [], problem: null, life: 1 })
    server.#server.listen(0, "127.0.0.1")
    await once(server.#server, "listening")
    return server
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `${this.origin}/inspector/#token=${this.token}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  append(agent: string | null, entries: ReadonlyArray<JournalEntry>): void {
    const process = this.processes.get(agent)!
    process.entries.push(...entries)
    process.actors = treeAt(process.actors, entries, entries.length)
    this.#waiting.forEach((wake) => wake())
    this.#waiting.clear()
  }

  /** Another process answers under that name: nothing of the one before is known to it. */
  restart(agent: string | null): void {
    const process = this.processes.get(agent)!
    this.processes.set(agent, { ...process, actors: [], entries: [], life: process.life + 1 })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.origin)
    const file = pathname === "/inspector/" ? "index.html" : pathname.replace(/^\/inspector\//, "")
    if (types[file] !== undefined) {
      response.writeHead(200, { "content-type": types[file], "content-security-policy": policy, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" })
      return void response.end(await readFile(join(files, file)))
    }
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" })
      response.end(JSON.stringify(body))
    }
    if (this.failure === "silent") return void request.socket.destroy()
    if (this.failure === "nonsense") return json(200, { surprise: true })
    if (this.failure === "refused" || request.headers.authorization !== `Bearer ${this.token}`) return json(401, { detail: "The token has expired.", hint: "gstacks debug inspect" })
    const answer = await this.#ask(pathname.replace("/api/v1/debug/", ""), searchParams)
    if (answer === undefined) json(404, { detail: `There is nothing at ${pathname}.` })
    else json("status" in answer ? 503 : 200, answer.body)
  }

  async #ask(question: string, query: URLSearchParams): Promise<{ readonly body: unknown; readonly status?: number } | undefined> {
    const process = this.processes.get(query.get("agent"))
    if (question === "actors" && query.get("scope") === "cluster") {
      return { body: [...this.processes].map(([agent, { actors, problem }]) => ({ agent, problem, actors: problem === null ? actors : [] })) }
    }
    if (process === undefined) return undefined
    if (process.problem !== null) return { status: 503, body: { detail: process.problem } }
    switch (question) {
      case "actors": return { body: [{ agent: query.get("agent"), problem: null, actors: process.actors }] }
      case "charts": return { body: process.charts }
      case "actor": {
        const detail = this.#detail(process, query.get("address"))
        return detail === undefined ? undefined : { body: detail }
      }
      case "journal": return { body: await this.#page(query, Number(query.get("waitMs"))) }
      default: return undefined
    }
  }

  #detail(process: Process, address: string | null): ActorDetail | undefined {
    const actor = process.actors.find((candidate) => candidate.address === address)
    if (actor === undefined) return undefined
    const chart = process.charts.find(({ machine }) => machine === actor.machine) ?? null
    const active = chart === null ? [] : activePaths(actor.state)
    const history = process.entries.filter((entry) => entry.address === address)
    return { actor, chart, active, accepts: chart === null ? [] : acceptedEvents(chart, active), context: this.context, output: null, history }
  }

  async #page(query: URLSearchParams, waitMs: number): Promise<unknown> {
    const { entries: all, life } = this.processes.get(query.get("agent"))!
    const [after, instance] = [Number(query.get("after") ?? 0), `life-${life}`]
    const isAnother = query.has("instance") && query.get("instance") !== instance
    const newest = all.at(-1)?.seq ?? 0
    const entries = all.filter(({ seq }) => isAnother || seq > (after > newest ? 0 : after)).slice(0, Number(query.get("limit")))
    if (entries.length > 0 || waitMs === 0 || isAnother) return { entries, next: entries.at(-1)?.seq ?? newest, dropped: 0, instance }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#waiting.add(() => { clearTimeout(timer); resolve() })
    })
    return this.#page(query, 0)
  }
}
