/**
 * A host's disk. A process that is killed leaves everything it wrote; a loss of power keeps what was synced, and of the names
 * that were not, by chance, some. It can be slow, and it can be full.
 */
import type { Disk } from "../../src/agent/Disk.ts"
import type { Draw } from "./random.ts"
import type { Time } from "./Time.ts"

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))
const isWithin = (folder: string, path: string): boolean => path === folder || path.startsWith(`${folder}/`)

class NoSpace extends Error {
  constructor() { super("ENOSPC: no space left on device, write") }
}

/** A file's content, whatever its names are. */
interface File { seen: string; synced: string }

export interface DiskEvents {
  /** There was no room. */
  readonly notWritten: (path: string) => void
  /** As it is now, also when the power fails. */
  readonly kept: (path: string) => void
}

export class SimulatedDisk {
  /** Milliseconds that each step takes. */
  slowness = 0
  full = false
  readonly #told: DiskEvents
  readonly #time: Time
  readonly #draw: Draw
  readonly #names = new Map<string, File>()
  readonly #syncedNames = new Map<string, File>()

  constructor(time: Time, draw: Draw, told: DiskEvents = { notWritten: () => {}, kept: () => {} }) {
    this.#told = told
    this.#time = time
    this.#draw = draw
  }

  put(path: string, content: string): void {
    const file = { seen: content, synced: content }
    this.#names.set(path, file)
    this.#syncedNames.set(path, file)
  }
  get paths(): ReadonlyArray<string> { return [...this.#names.keys()].sort() }

  /** What was not synced is kept or lost, each by chance. */
  losePower(): void {
    for (const file of new Set([...this.#names.values(), ...this.#syncedNames.values()])) {
      file.synced = file.seen = this.#draw.chance(0.5) ? file.seen : file.synced
    }
    for (const path of new Set([...this.#names.keys(), ...this.#syncedNames.keys()])) {
      const kept = (this.#draw.chance(0.5) ? this.#names : this.#syncedNames).get(path)
      for (const names of [this.#names, this.#syncedNames]) if (kept === undefined) names.delete(path); else names.set(path, kept)
    }
  }

  #needsRoom(path: string): void {
    if (!this.full) return
    this.#told.notWritten(path)
    throw new NoSpace()
  }

  /** As one process sees it. Whatever it does after its end never happens. */
  seenBy(isAlive: () => boolean): Disk {
    const step = <A>(run: () => A): Promise<A> => new Promise((resolve, reject) => {
      const act = () => {
        try {
          if (!isAlive()) throw new Error("the process has ended")
          resolve(run())
        } catch (error) {
          reject(error as Error)
        }
      }
      if (this.slowness === 0) act()
      else this.#time.after(this.slowness, act)
    })
    return {
      makeFolder: () => step(() => {}),
      list: (folder) => step(() => [...new Set([...this.#names.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1).split("/")[0]!))].sort()),
      read: (path) => step(() => this.#names.get(path)?.seen),
      write: (path, content) => step(() => {
        this.#needsRoom(path)
        this.#names.set(path, { seen: String(content), synced: String(content) })
      }),
      append: async (path, content) => {
        const file = await step(() => {
          const found = this.#names.get(path)
          if (found === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
          found.seen += content.slice(0, content.length / 2)
          this.#needsRoom(path)
          return found
        })
        await step(() => {
          file.seen += content.slice(content.length / 2)
          file.synced = file.seen
          this.#told.kept(path)
        })
      },
      appendUnsynced: (path, content) => step(() => {
        if (this.full) throw new NoSpace()
        const file = this.#names.get(path) ?? { seen: "", synced: "" }
        file.seen += content
        this.#names.set(path, file)
      }),
      rename: (from, to) => step(() => {
        this.#names.set(to, this.#names.get(from)!)
        this.#names.delete(from)
      }),
      remove: (path) => step(() => { for (const name of this.#names.keys()) if (isWithin(path, name)) this.#names.delete(name) }),
      syncFolder: (folder) => step(() => {
        for (const path of this.#syncedNames.keys()) if (isWithin(folder, path) && !this.#names.has(path)) this.#syncedNames.delete(path)
        for (const [path, file] of this.#names) {
          if (parentOf(path) !== folder) continue
          this.#syncedNames.set(path, file)
          this.#told.kept(path)
        }
      })
    }
  }
}
