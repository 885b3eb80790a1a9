/** The test's side of `peer.mjs`: one object per sandbox, each method one thing the sandbox does. */
import { connect, type Socket } from "node:net"

export interface ProbeResult { readonly result: string; readonly text?: string; readonly connectedMs?: number; readonly ms: number }
export interface StreamEvent { readonly stream: string; readonly event: "data" | "end" | "error" | "close"; readonly text?: string; readonly code?: string }
export interface Digest { readonly bytes: number; readonly sha256: string; readonly end: string }

const timeoutMs = 120_000

export class Peer {
  readonly events: Array<StreamEvent> = []
  readonly #pending = new Map<number, { readonly ok: (value: never) => void; readonly fail: (error: Error) => void }>()
  readonly #watchers = new Set<() => void>()
  readonly #socket: Socket
  #next = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    let text = ""
    socket.on("data", (chunk) => {
      text += String(chunk)
      for (let end; (end = text.indexOf("\n")) >= 0;) {
        this.#receive(JSON.parse(text.slice(0, end)))
        text = text.slice(end + 1)
      }
    })
    socket.on("close", () => { for (const p of this.#pending.values()) p.fail(new Error("the peer program is gone")) })
    socket.on("error", () => {})
  }

  static connect(folder: string, name: string): Promise<Peer> {
    const path = `${folder}/${name}.sock`
    const deadline = Date.now() + 20_000
    return new Promise((ok, fail) => {
      const attempt = () => {
        const socket = connect(path)
        socket.once("connect", () => ok(new Peer(socket)))
        socket.once("error", (e) => Date.now() > deadline ? fail(new Error(`no peer program at ${path}: ${e.message}`)) : setTimeout(attempt, 20))
      }
      attempt()
    })
  }

  close(): void { this.#socket.destroy() }

  listen(port: number, behaviour = "echo", host = "0.0.0.0", backlog?: number): Promise<unknown> { return this.#ask("listen", { port, behaviour, host, backlog }) }
  /** It is gone, and this object with it. */
  async die(): Promise<void> { await this.#ask("die", {}).catch(() => undefined) }
  hang(): Promise<unknown> { return this.#ask("hang", {}) }
  /** What a listener that `endsFirst` has read. */
  async took(port: number): Promise<string> { return (await this.#ask<{ readonly text: string }>("took", { port })).text }
  unlisten(port: number): Promise<unknown> { return this.#ask("unlisten", { port }) }
  probe(host: string, port: number, options: { readonly timeoutMs?: number; readonly greeting?: boolean } = {}): Promise<ProbeResult> { return this.#ask("probe", { host, port, ...options }) }
  open(id: string, host: string, port: number): Promise<unknown> { return this.#ask("open", { id, host, port }) }
  write(id: string, text: string): Promise<unknown> { return this.#ask("write", { id, text }) }
  end(id: string): Promise<unknown> { return this.#ask("end", { id }) }
  reset(id: string): Promise<unknown> { return this.#ask("reset", { id }) }
  pause(id: string): Promise<unknown> { return this.#ask("pause", { id }) }
  upload(host: string, port: number, bytes: number, pauseMs = 0): Promise<{ readonly sent: string; readonly received: Digest; readonly error?: string }> { return this.#ask("upload", { host, port, bytes, pauseMs }) }
  download(host: string, port: number, bytes: number, more: { readonly more?: number; readonly pauseMs?: number } = {}): Promise<{ readonly expected: string; readonly received: Digest }> { return this.#ask("download", { host, port, bytes, ...more }) }
  lookup(host: string): Promise<{ readonly addresses?: ReadonlyArray<string>; readonly code?: string }> { return this.#ask("lookup", { host }) }
  query(hex: string, address?: string): Promise<{ readonly hex?: string; readonly code?: string }> { return this.#ask("query", { hex, address }) }
  read(path: string): Promise<{ readonly text?: string; readonly code?: string }> { return this.#ask("read", { path }) }
  list(path: string): Promise<{ readonly names?: ReadonlyArray<string>; readonly code?: string }> { return this.#ask("list", { path }) }
  unix(path: string): Promise<{ readonly result: string }> { return this.#ask("unix", { path }) }

  /** The first event of a stream that matches, past or future. */
  event(stream: string, matches: (event: StreamEvent) => boolean, waitMs = 10_000): Promise<StreamEvent> {
    return new Promise((ok, fail) => {
      const timer = setTimeout(() => { this.#watchers.delete(look); fail(new Error(`no such event of stream ${stream} in ${waitMs} ms; seen: ${JSON.stringify(this.events.filter((e) => e.stream === stream))}`)) }, waitMs)
      const look = () => {
        const found = this.events.find((e) => e.stream === stream && matches(e))
        if (found === undefined) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        ok(found)
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** Sends a line and waits for its echo: the stream works in both directions. */
  async ping(id: string, text: string): Promise<void> {
    await this.write(id, text)
    await this.event(id, (e) => e.event === "data" && e.text!.includes(text))
  }

  #ask<A>(command: string, args: object): Promise<A> {
    if (this.#socket.destroyed) return Promise.reject(new Error("the peer program is gone"))
    const id = this.#next++
    return new Promise<A>((ok, fail) => {
      const timer = setTimeout(() => { this.#pending.delete(id); fail(new Error(`${command} did not answer in ${timeoutMs} ms`)) }, timeoutMs)
      const settle = (then: () => void) => { clearTimeout(timer); this.#pending.delete(id); then() }
      this.#pending.set(id, { ok: (value) => settle(() => ok(value)), fail: (error) => settle(() => fail(error)) })
      this.#socket.write(JSON.stringify({ id, command, args }) + "\n")
    })
  }

  #receive(message: { readonly id?: number; readonly result?: never; readonly error?: string } & Partial<StreamEvent>): void {
    if (message.stream !== undefined) {
      this.events.push(message as StreamEvent)
      for (const look of [...this.#watchers]) look()
      return
    }
    const pending = this.#pending.get(message.id!)
    if (message.error !== undefined) pending?.fail(new Error(message.error))
    else pending?.ok(message.result as never)
  }
}
