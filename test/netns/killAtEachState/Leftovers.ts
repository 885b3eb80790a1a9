/** What kills must not leave behind in a cluster: processes that nobody looks after, and network namespaces. */
import { readdirSync, readlinkSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { named } from "../../../src/dev/Cluster.ts"
import { rows } from "../../../src/dev/rows.ts"
import * as worldFile from "../../../src/dev/worldFile.ts"
import { eventually, type Fixture } from "../../e2e/fixture.ts"

export class Leftovers {
  readonly #fixture: Fixture
  readonly #hosts: ReadonlyArray<string>
  readonly #namespaces: number

  /** Remembers how many namespaces there are. */
  constructor(fixture: Fixture, hosts: ReadonlyArray<string>) {
    this.#fixture = fixture
    this.#hosts = hosts
    this.#namespaces = this.#networkNamespaces()
  }

  /** One process of each kind, a shim for each sandbox that runs, and no more namespaces than at the start. */
  async none(): Promise<void> {
    let seen = "", wanted = ""
    await eventually("processes", async () => {
      seen = this.#present().join(", ")
      wanted = (await this.#expected()).join(", ")
      return isDeepStrictEqual(seen, wanted)
    }, 10_000).catch(() => { throw new Error(`processes are ${seen}; wanted are ${wanted}`) })
    let namespaces = 0
    await eventually("namespaces", () => (namespaces = this.#networkNamespaces()) === this.#namespaces, 10_000).catch(() => {
      throw new Error(`there are ${namespaces} network namespaces; there were ${this.#namespaces}`)
    })
  }

  async #expected(): Promise<ReadonlyArray<string>> {
    const sandboxes: ReadonlyArray<{ readonly name: string; readonly state: string }> = (await this.#fixture.api("GET", "/sandboxes")).body
    return [
      "control", "headscale", ...this.#hosts.flatMap((host) => [`agent ${host}`, `meshd ${host}`]),
      ...sandboxes.filter(({ state }) => state === "running").map(({ name }) => `shim ${name}`)
    ].sort()
  }

  #look() {
    const world = worldFile.read(named("dev", this.#fixture.cluster.env))
    return { world, processes: worldFile.processes(world) }
  }

  #present(): ReadonlyArray<string> {
    const { processes, world } = this.#look()
    if (world === null) return []
    return rows(world, processes).filter(({ pid, role }) => role !== "world" && pid !== null)
      .map(({ host, role, sandbox }) => `${role} ${role === "shim" ? sandbox : host ?? ""}`.trim()).sort()
  }

  /** Of every thread, since a mesh's node lives in a namespace that only threads of meshd are in. */
  #networkNamespaces(): number {
    return new Set(this.#look().processes.flatMap(({ pid }) => {
      try {
        return readdirSync(`/proc/${pid}/task`).map((thread) => readlinkSync(`/proc/${pid}/task/${thread}/ns/net`))
      } catch {
        return [] // it has just ended
      }
    })).size
  }
}
