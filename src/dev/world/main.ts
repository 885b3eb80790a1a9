/**
 * The first process of a disposable cluster's world: makes its network, then plays init for control plane, agents and meshds, and
 * keeps world.json true. It ends with its standard input: the starter holds the other end, so that the cluster ends when the starter
 * does, however that happens. The kernel then ends everything else in the world.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Schema, Scope } from "effect"
import { existsSync, mkdirSync, readlinkSync, renameSync, writeFileSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { makeBridge } from "./bridge.ts"
import { adminToken, allOnline, enrolmentToken, healthy } from "./ControlPlane.ts"
import { keepRunning, type UnitSpec } from "./unit.ts"
import { agentUnit, controlUnit, credentialFile, hostStateDir, meshdUnit } from "./units.ts"
import { type ProcessState, WorldConfig, type WorldEvent, type WorldState } from "./WorldConfig.ts"

const tell = (event: WorldEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`)
const step = (text: string) => tell({ _tag: "Step", text })

/** The starter's end of the pipe is gone: nothing is left to do here. */
const starterIsGone = Effect.callback<void>((resume) => {
  process.stdin.on("end", () => resume(Effect.void)).on("error", () => resume(Effect.void)).resume()
  process.stdout.on("error", () => resume(Effect.void))
})

const keepWorldFile = (config: WorldConfig, networks: Record<string, string>) => {
  const processes = new Map<string, ProcessState>([
    ["world", { role: "world", host: null, pid: process.pid, state: "running", restarts: 0, lastExit: null }]
  ])
  const file = join(config.runtimeDir, "world.json")
  const state = (): WorldState => ({ pidNamespace: readlinkSync("/proc/self/ns/pid"), networks, processes: [...processes.values()] })
  const write = () => {
    writeFileSync(`${file}.new`, JSON.stringify(state()), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  write()
  return (process: ProcessState) => {
    processes.set(`${process.host ?? ""}/${process.role}`, process)
    write()
  }
}

/** A host that has its credential needs no token. The token is good for one enrolment; its file stays, so that a restart finds its settings whole. */
const newTokenFile = Effect.fn("dev.newTokenFile")(function*<E>(config: WorldConfig, host: string, create: Effect.Effect<string, E>) {
  if (existsSync(credentialFile(config, host))) return null
  const file = join(config.runtimeDir, host, "enrolment.token")
  const secret = yield* create
  yield* Effect.promise(() => writeFile(file, secret, { mode: 0o600 }))
  return file
})

const world = Effect.fn("dev.world")(function*(config: WorldConfig) {
  const networks = yield* makeBridge(config.hosts)
  step(`network of ${config.hosts.length} hosts is up`)
  const report = keepWorldFile(config, networks)
  // Hosts end together, and before the control plane.
  const scope = yield* Effect.scope
  const hosts = yield* Scope.fork(scope, "parallel")
  const start = (unit: UnitSpec, within: Scope.Scope) => Effect.forkIn(keepRunning(unit, report), within)
  const socket = join(config.runtimeDir, "control.sock")

  for (const host of config.hosts) {
    mkdirSync(join(config.runtimeDir, host), { recursive: true, mode: 0o700 })
    for (const role of ["agent", "meshd"] as const) mkdirSync(hostStateDir(config, host, role), { recursive: true, mode: 0o700 })
  }
  yield* start(controlUnit(config), scope)
  for (const host of config.hosts) yield* start(meshdUnit(config, host), hosts)
  yield* healthy(socket)
  step("control plane is healthy")

  const token = yield* adminToken(join(config.stateDir, "control", "admin.token"))
  for (const host of config.hosts) {
    yield* start(agentUnit(config, host, yield* newTokenFile(config, host, enrolmentToken(socket, token, host))), hosts)
  }
  yield* allOnline(socket, token, config.hosts, (host) => step(`${host} is online`))
  tell({ _tag: "Ready" })
  return yield* Effect.never
})

const program = Effect.gen(function*() {
  const config = yield* Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(WorldConfig))(process.argv[2] ?? ""))
  yield* Effect.scoped(world(config)).pipe(
    Effect.catch((error) => Effect.sync(() => tell({ _tag: "Failed", message: error.message, hint: error.hint }))),
    Effect.raceFirst(starterIsGone),
    Effect.ensuring(Effect.promise(() => rm(config.runtimeDir, { recursive: true, force: true })))
  )
})

NodeRuntime.runMain(program)
