/**
 * PGlite as an in-process PostgreSQL server for @effect/sql-pg: one Duplex per pooled connection, no socket, no port.
 * Behind them all stands one wasm backend, so a connection owns it from its first message until the server says that it is
 * idle outside a transaction. A connection that goes away gives up its place in the queue, has its open transaction rolled
 * back and its prepared statements dropped. Session state (SET, LISTEN, session advisory locks, temporary tables) remains
 * shared by all connections: code that must run on PGlite uses SET LOCAL, and no LISTEN.
 */
import type { PGlite } from "@electric-sql/pglite"
import { Duplex } from "node:stream"
import { cancelRequestCode, Framer, Frontend, Backend, syncMessage, transactionIdle } from "./wire.ts"

/** As much of PGlite as is needed. */
export type Backing = Pick<PGlite, "runExclusive" | "execProtocolRawStream" | "exec" | "closed">

/** Gives the backend to one connection at a time, first come first served. */
class Turns {
  private owner: Duplex | undefined
  private readonly waiting: Array<{ readonly who: Duplex; readonly go: () => void }> = []

  take(who: Duplex): Promise<void> {
    if (this.owner === undefined || this.owner === who) {
      this.owner = who
      return Promise.resolve()
    }
    return new Promise((go) => this.waiting.push({ who, go }))
  }
  has(who: Duplex): boolean {
    return this.owner === who
  }
  give(who: Duplex): void {
    if (this.owner !== who) return
    const next = this.waiting.shift()
    this.owner = next?.who
    next?.go()
  }
  leaveQueue(who: Duplex): void {
    const at = this.waiting.findIndex((entry) => entry.who === who)
    if (at >= 0) this.waiting.splice(at, 1)
  }
}

class Connection extends Duplex {
  private readonly input = new Framer(true)
  private readonly output = new Framer(false)
  private readonly prepared = new Set<string>()
  private transaction = transactionIdle
  private running: Promise<void> = Promise.resolve()
  private readonly db: Backing
  private readonly turns: Turns

  constructor(db: Backing, turns: Turns) {
    super()
    this.db = db
    this.turns = turns
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { frames, bytes } = this.input.push(chunk)
    let complete = false
    for (const frame of frames) {
      if (frame.type === Frontend.startup && frame.body.length >= 4 && frame.body.readInt32BE(0) === cancelRequestCode) {
        return this.hangUp(done) // a running statement cannot be cancelled: it shares the thread with us
      }
      if (frame.type === Frontend.terminate) return this.hangUp(done)
      this.follow(frame.type, frame.body)
      complete ||= frame.type === Frontend.startup || frame.type === Frontend.sync || frame.type === Frontend.query || frame.type === Frontend.password
    }
    if (bytes.length === 0) return done()
    this.running = this.turns.take(this).then(() => this.run(bytes)).then(
      () => {
        if (complete && this.transaction === transactionIdle) this.turns.give(this)
        done()
      },
      (cause: unknown) => done(cause instanceof Error ? cause : new Error(String(cause)))
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.turns.leaveQueue(this)
    void this.reset().finally(() => done(error))
  }

  private hangUp(done: () => void): void {
    this.once("end", () => this.destroy())
    this.push(null)
    done()
  }

  /** Which statements this connection has prepared, so that they can be dropped with it. */
  private follow(type: number, body: Buffer): void {
    if (type === Frontend.parse) {
      const name = body.toString("utf8", 0, body.indexOf(0))
      if (name !== "") this.prepared.add(name)
    } else if (type === Frontend.close && body[0] === Frontend.statement) {
      this.prepared.delete(body.toString("utf8", 1, body.indexOf(0, 1)))
    }
  }

  private run(message: Uint8Array): Promise<void> {
    return this.db.runExclusive(() => this.db.execProtocolRawStream(message, { onRawData: (data) => this.answer(data) }))
  }

  private answer(data: Uint8Array): void {
    const { frames, bytes } = this.output.push(Buffer.from(data))
    for (const frame of frames) if (frame.type === Backend.readyForQuery) this.transaction = frame.body[0]!
    if (bytes.length > 0 && !this.destroyed) this.push(Buffer.from(bytes))
  }

  private async reset(): Promise<void> {
    if (this.turns.has(this)) {
      try {
        await this.running
        await this.run(syncMessage) // ends a half-sent extended query
        if (this.transaction !== transactionIdle) await this.db.exec("rollback")
      } finally {
        this.turns.give(this)
      }
    }
    if (this.prepared.size === 0 || this.db.closed) return
    await this.turns.take(this)
    try {
      for (const name of this.prepared) await this.db.exec(`deallocate "${name.replaceAll("\"", "\"\"")}"`).catch(() => {}) // gone already, or never parsed
    } finally {
      this.turns.give(this)
    }
  }
}

export const makePgliteConnector = (db: Backing): (() => Duplex) => {
  const turns = new Turns()
  return () => new Connection(db, turns)
}
