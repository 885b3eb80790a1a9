/** As much of PostgreSQL's wire protocol (version 3) as the PGlite connector needs: framing and a few message types. */

const letter = (text: string): number => text.charCodeAt(0)

export const Frontend = {
  /** Not on the wire: the first message of a connection has no type. */
  startup: 0,
  parse: letter("P"), close: letter("C"), sync: letter("S"), query: letter("Q"), password: letter("p"), terminate: letter("X"),
  /** What `close` closes. */
  statement: letter("S")
} as const

export const Backend = { readyForQuery: letter("Z") } as const

/** ReadyForQuery's status outside a transaction. */
export const transactionIdle = letter("I")
export const cancelRequestCode = 80877102
export const syncMessage = Uint8Array.of(Frontend.sync, 0, 0, 0, 4)

export interface Frame { readonly type: number; readonly body: Buffer }

/** Cuts a byte stream into messages; keeps an incomplete rest for the next push. */
export class Framer {
  private rest: Buffer = Buffer.alloc(0)
  private untyped: boolean

  constructor(startsUntyped: boolean) {
    this.untyped = startsUntyped
  }

  /** The complete messages, and the bytes that they make up together. */
  push(chunk: Buffer): { readonly frames: ReadonlyArray<Frame>; readonly bytes: Uint8Array } {
    const all = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const frames: Array<Frame> = []
    let at = 0
    for (;;) {
      const head = this.untyped ? 4 : 5
      if (all.length - at < head) break
      const length = all.readInt32BE(at + head - 4) + head - 4
      if (all.length - at < length) break
      frames.push({ type: this.untyped ? Frontend.startup : all[at]!, body: all.subarray(at + head, at + length) })
      at += length
      this.untyped = false
    }
    this.rest = all.subarray(at)
    return { frames, bytes: all.subarray(0, at) }
  }
}
