/** A log file that stays small: at `limitBytes` it becomes `<file>.1`, replacing the one before. Writes are whole chunks, in order. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs"

export class BoundedLog {
  readonly #path: string
  readonly #limitBytes: number
  #file: number
  #size: number

  constructor(path: string, limitBytes: number) {
    this.#path = path
    this.#limitBytes = limitBytes
    this.#file = openSync(path, "a", 0o600)
    this.#size = fstatSync(this.#file).size
  }

  write(chunk: Uint8Array | string) {
    if (this.#size >= this.#limitBytes) {
      closeSync(this.#file)
      renameSync(this.#path, `${this.#path}.1`)
      this.#file = openSync(this.#path, "a", 0o600)
      this.#size = 0
    }
    this.#size += typeof chunk === "string" ? writeSync(this.#file, chunk) : writeSync(this.#file, chunk)
  }

  close() {
    closeSync(this.#file)
  }
}
