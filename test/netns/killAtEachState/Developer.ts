/**
 * A developer on a laptop beside the cluster, who has joined network `desk` and forwards its alias `api` to a port and to a Unix socket.
 * The background process is the one that stops in a state where a test asks for it (test/pausing).
 */
import { Effect, Stream } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { named } from "../../../src/dev/Cluster.ts"
import type { Seen } from "../../../src/dev/processes.ts"
import * as worldFile from "../../../src/dev/worldFile.ts"
import { answers } from "../../../src/cli/answers.ts"
import type { Failure } from "../../../src/cli/Failure.ts"
import { type Client, connect } from "../../../src/cli/LocalDaemon/client.ts"
import { AliasName, Port } from "../../../src/domain/DnsLabel.ts"
import type { MeshStatus } from "../../../src/protocol/local/MeshRpcs.ts"
import { eventually, type Fixture } from "../../e2e/fixture.ts"
import { environment, type GoingOn, pausingBundles, type Result, run } from "../../harness/cluster.ts"
import { Laptop, type User } from "../../harness/Laptop.ts"
import type { Peer } from "../../harness/Peer.ts"

const here = "127.0.0.1"
export const port = 18080
const patienceMs = 60_000

const staying = ["sleep", "54321"] // nobody else does

export class Developer {
  readonly #fixture: Fixture
  readonly #laptop: Laptop
  readonly #user: User
  readonly #client: Peer
  #staying: GoingOn | undefined

  private constructor(fixture: Fixture, laptop: Laptop, user: User, client: Peer) {
    this.#fixture = fixture
    this.#laptop = laptop
    this.#user = user
    this.#client = client
  }

  static async start(fixture: Fixture, settings: Readonly<Record<string, string>>): Promise<Developer> {
    const { secret } = (await fixture.api("POST", "/tokens", { kind: "user", name: "ann" })).body
    const laptop = await Laptop.start(fixture.cluster, "beside", [process.execPath, join(pausingBundles, "cli.mjs")])
    const user = laptop.as("ann", secret, settings)
    return new Developer(fixture, laptop, user, await user.peer("client"))
  }
  stop(): void {
    this.#client.close()
    this.#laptop.remove()
  }

  /** `local`, the background process, or `meshd`, which it started. */
  pid(role: string): number | undefined {
    return this.#processes(role)[0]
  }
  kill(role: string): void { process.kill(this.pid(role)!, "SIGKILL") }
  thaw(role: string): void { process.kill(this.pid(role)!, "SIGCONT") }

  #processes(role: string): ReadonlyArray<number> {
    const isIt = ({ program, words }: Seen) => role === "local" ? words[1]?.endsWith("/local.mjs") : program === role && words.some((word) => word.startsWith(this.#runtimeDir))
    return this.#everyProcess().filter(isIt).map(({ pid }) => pid)
  }
  #everyProcess(): ReadonlyArray<Seen> { return worldFile.processes(worldFile.read(named("dev", this.#fixture.cluster.env))) }
  get stateDir(): string { return join(this.#user.folder, "state/gstacks/local") }
  get #runtimeDir(): string { return join(this.#user.folder, "run/gstacks-local") }
  get #addresses(): ReadonlyArray<string> { return [`${here}:${port}`, `unix:${this.#user.folder}/api.sock`] }

  /** It starts the background process, which gets the laptop's network and its user's rights. */
  join(): Promise<Result> { return this.#user.gstacks("mesh join desk") }
  exec(): Promise<Result> { return this.#user.gstacks("mesh exec desk -- true") }
  async execWorks(): Promise<void> { await this.#succeeds(() => this.exec()) }
  async does(line: string): Promise<void> { await this.#succeeds(() => this.gstacks(line)) }
  gstacks(line: string): Promise<Result> { return run({ ...environment(this.#user.folder), XDG_RUNTIME_DIR: join(this.#user.folder, "run") }, line.split(" ")) }
  /** Undefined: no background process answers. */
  status(): Promise<MeshStatus | undefined> { return this.#asks(({ status }) => status) }
  /** As the commands do, without starting one. */
  #asks<A>(what: (daemon: Client) => Effect.Effect<A, Failure>): Promise<A | undefined> {
    const socket = join(this.#runtimeDir, "local.sock")
    return Effect.runPromise(Effect.flatMap(answers({ path: socket }), (yes) => yes ? Effect.scoped(Effect.flatMap(connect(socket), what)) : Effect.undefined))
  }

  /** Joins and forwards again what does not answer. */
  async again(): Promise<void> {
    const missing = (await Promise.all(this.#addresses.map(async (address) => await this.#at(address) === "open" ? [] : [address]))).flat()
    if (missing.length === 0) return
    if ((await this.status())?.networks[0]?.state !== "joined") await this.#succeeds(() => this.join())
    const { forwards } = (await this.status())!
    await Promise.all(missing.filter((listen) => !forwards.some((forward) => forward.listen === listen)).map((listen) => this.#forward(listen)))
  }
  async #forward(listen: string): Promise<void> {
    const wish = { network: "desk", alias: AliasName.make("api"), port: Port.make(8080), listen, guard: null, keep: true }
    await eventually(`${listen} is forwarded`, async () => await this.#asks((daemon) => Stream.runHead(daemon.forward(wish))).catch(() => undefined) !== undefined, patienceMs)
  }
  async #at(address: string): Promise<string> {
    const path = /^unix:(.*)/.exec(address)?.[1]
    return (path === undefined ? await this.#client.probe(here, port, { timeoutMs: 1000 }) : await this.#client.unix(path)).result
  }
  async #succeeds(command: () => Promise<Result>): Promise<void> {
    let said = ""
    await eventually("the command succeeds", async () => {
      const { code, stderr } = await command()
      said = stderr
      return code === 0
    }, patienceMs).catch((error: Error) => { throw new Error(`${error.message}: ${said}`) })
  }

  /** A command that sees the network, until `end`. */
  async stays(): Promise<void> {
    this.#staying = this.#user.goOn(`mesh exec desk -- ${staying.join(" ")}`)
    await this.isInside()
  }
  async isInside(): Promise<void> {
    await eventually("the command is inside", async () => (await this.status())!.commands.some(({ program, state }) => program === staying[0] && state === "inside"), patienceMs)
  }
  async end(): Promise<void> {
    await this.#user.exec("kill", "-9", /^\d+/.exec(this.#staying!.said)![0]) // it ends with who typed it
    await eventually("the command has ended", () => !this.#everyProcess().some(({ words }) => words.join(" ").includes(staying.join(" "))), patienceMs)
  }

  /** What is not as after `again`; undefined when all is. */
  async trouble(): Promise<string | undefined> {
    for (const address of this.#addresses) {
      const result = await this.#at(address)
      if (result !== "open") return `the forward at ${address}: ${result}`
    }
    for (const role of ["local", "meshd"]) if (this.#processes(role).length !== 1) return `there are ${this.#processes(role).length} of ${role}`
    const { forwards, networks } = (await this.status())!
    const states = [...networks.map(({ network, state }) => `${network} is ${state}`), ...forwards.map(({ listen, state }) => `${listen} is ${state}`)]
    const wanted = ["desk is joined", ...this.#addresses.map((address) => `${address} is listening`)]
    return wanted.every((each) => states.includes(each)) ? undefined : `mesh status: ${states.join(", ")}`
  }

  /** That nothing of a background process which was killed goes on, or is said to. */
  async leftNothing(): Promise<void> {
    for (const role of ["local", "meshd"]) await eventually(`${role} is gone`, () => this.pid(role) === undefined, patienceMs)
    for (const address of this.#addresses) {
      const result = await this.#at(address)
      if (!["ECONNREFUSED", "ENOENT"].includes(result)) throw new Error(`at ${address} after the kill: ${result}`)
    }
    // One that is not quite dead resets connections.
    await eventually("nobody answers for it", () => this.status().then((status) => status === undefined, () => false), patienceMs)
  }

  /** Leaves in order: no socket stays, nor is anything of it known to the control plane. */
  async leave(): Promise<void> {
    await this.#succeeds(() => this.gstacks("mesh leave desk"))
    await this.leftNothing()
    const files = [...["local.sock", "meshd.sock", "meshd"].map((name) => join(this.#runtimeDir, name)), this.#addresses[1]!.slice("unix:".length)]
    for (const left of files) if (existsSync(left)) throw new Error(`${left} was left behind`)
    const { localNodes } = (await this.#fixture.api("GET", "/networks/desk")).body
    if (localNodes.length > 0) throw new Error(`the control plane still knows ${JSON.stringify(localNodes)}`)
  }

  /** Another program of the laptop has the port. */
  async occupyPort(): Promise<void> {
    await eventually("the port can be taken", () => this.#client.listen(port, "echo", here).then(() => true, () => false), patienceMs)
  }
  async freePort(): Promise<void> { await this.#client.unlisten(port) }
}
