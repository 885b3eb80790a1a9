/** The agent's part towards one meshd: requests over its socket, one at a time or many, answered by id. */
import { connect, type Socket } from "node:net"
import { createInterface } from "node:readline"

export class MeshdClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, { readonly done: (result: unknown) => void; readonly failed: (error: Error) => void }>()
  #lastId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    createInterface({ input: socket }).on("line", (line) => this.#receive(line))
    const lost = (): void => {
      for (const { failed } of this.#waiting.values()) failed(new Error("meshd closed its socket"))
      this.#waiting.clear()
    }
    socket.on("close", lost).on("error", lost)
  }

  static connect(path: string): Promise<MeshdClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        resolve(new MeshdClient(socket))
      })
    })
  }

  request<A>(method: string, params: object = {}): Promise<A> {
    const id = ++this.#lastId
    return new Promise<A>((resolve, reject) => {
      this.#waiting.set(id, { done: (result) => resolve(result as A), failed: reject })
      this.#socket.write(`${JSON.stringify({ id, method, params })}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as { readonly id?: number; readonly result?: unknown; readonly error?: { readonly code: string; readonly message: string } }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id)
    if (waiting === undefined) return
    this.#waiting.delete(message.id!)
    if (message.error === undefined) waiting.done(message.result)
    else waiting.failed(new Error(`meshd: ${message.error.code}: ${message.error.message}`))
  }
}
