/** Newline-delimited text out of byte chunks. A line beyond the limit is the end: whoever sends it is not our peer. */

export const largestLine = 64 * 1024 * 1024

export class LineTooLong extends Error {}

export class Lines {
  #pieces: Array<Buffer> = []
  #bytes = 0
  readonly #limit: number

  constructor(limit = largestLine) { this.#limit = limit }

  /** The lines that `chunk` completes, without their ends. Throws `LineTooLong`. */
  push(chunk: Buffer): ReadonlyArray<string> {
    const lines: Array<string> = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      lines.push(Buffer.concat(this.#pieces, this.#bytes).toString("utf8"))
      this.#pieces = []
      this.#bytes = 0
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(piece: Buffer): void {
    if (piece.length === 0) return
    this.#bytes += piece.length
    if (this.#bytes > this.#limit) throw new LineTooLong(`a line of more than ${this.#limit} bytes`)
    this.#pieces.push(piece)
  }
}
