/** What goes wrong, done to a world; and how everything is put right again. */
import { Effect } from "effect"
import { setup } from "xstate"
import type { ActorSystem } from "../../src/actors/runtime/ActorSystem.ts"
import { machineChild } from "../../src/actors/runtime/ChildSpec.ts"
import type { ActorSnapshot } from "../../src/actors/runtime/Registry.ts"
import type { Process } from "./Process.ts"
import type { Fault } from "./schedule.ts"
import type { World } from "./World.ts"

/** An event that no machine can look at without crashing. */
const poison = { get type(): string { throw new Error("poisoned by the simulation") } }

export const inflict = (world: World, fault: Fault): void => {
  const { coordinator, database, network, time } = world
  /** At once where all has been put right meanwhile: a process may take its time to stop. */
  const later = (undo: () => void) => {
    if (world.isPutRight) return undo()
    if ("forMs" in fault) world.undoing.push(time.after(fault.forMs, undo))
  }
  const host = "host" in fault ? world.hosts.get(fault.host) : undefined
  switch (fault.fault) {
    case "control.kill": world.control!.process.kill(); return later(() => world.startControl())
    case "control.stop": return stop(world, world.control!.process, () => later(() => world.startControl()))
    case "database.away":
      database.isAway = true
      database.cut()
      return later(() => { database.isAway = false })
    case "database.slow": database.slowness = fault.byMs; return later(() => { database.slowness = 0 })
    case "coordinator.away": coordinator.isAway = true; return later(() => { coordinator.isAway = false })
    case "agent.kill": host!.killAgent(); return later(() => host!.startAgent())
    case "agent.stop": return host!.process && stop(world, host!.process, () => later(() => host!.startAgent()))
    case "power": host!.losePower(); return later(() => host!.boot())
    case "meshd.crash": host!.crashMeshd(); return later(() => host!.startMeshd())
    case "meshd.disconnect": return host!.meshd.disconnect()
    case "meshd.slow": host!.meshd.applyMs = fault.byMs; return later(() => { host!.meshd.applyMs = usualApplyMs })
    case "network.cut": network.weather(fault.host).isCutOff = true; return later(() => network.heal(fault.host))
    case "network.deaf": network.weather(fault.host).deafness = 0.3; return later(() => { network.weather(fault.host).deafness = 0 })
    case "network.reset": return network.reset(fault.host)
    case "network.slow": network.weather(fault.host).latencyMs = fault.byMs; return later(() => { network.weather(fault.host).latencyMs = usualLatencyMs })
    case "disk.full": host!.disk.full = true; return later(() => { host!.disk.full = false })
    case "disk.slow": host!.disk.slowness = fault.byMs; return later(() => { host!.disk.slowness = 0 })
    case "clock.jump": return (host?.clock ?? world.controlClock).jump(fault.byMs)
    case "actor.crash": return crashActor(world, fault)
    case "supervisor.crash": return crashSupervisor(world, fault)
    case "sandbox.exit": {
      const running = host!.sandboxes.running
      if (running.length > 0) host!.sandboxes.exit(running[fault.nth % running.length]!, { exitCode: 1, reason: null })
    }
  }
}

/** One that does not stop in time is killed, as an init does. */
const stop = ({ time }: World, process: Process, ended: () => void): void => {
  let isOver = false
  const over = () => {
    if (isOver) return
    isOver = true
    isInTime()
    process.kill()
    ended()
  }
  const isInTime = time.after(30_000, over)
  process.stop(over)
}

const usualApplyMs = 3, usualLatencyMs = 2

/** Does something to the nth of those actors of a process that are meant. */
const strike = (
  world: World, { process: name, nth }: { readonly process: string; readonly nth: number }, isMeant: (actor: ActorSnapshot) => boolean,
  blow: (actors: ActorSystem["Service"], victim: ActorSnapshot) => Effect.Effect<unknown, unknown>
): void => {
  const { process, actors } = name === "control" ? world.control! : world.hosts.get(name)!
  if (process?.isAlive !== true || actors === undefined) return
  process.run(Effect.flatMap(actors.tree, (tree) => {
    const meant = tree.filter((actor) => actor.status === "running" && isMeant(actor))
    const victim = meant[nth % meant.length]
    if (victim === undefined) return Effect.void
    world.journal.note(name, `crash ${victim.address} (${victim.state})`)
    return Effect.ignore(blow(actors, victim))
  }))
}

const crashActor = (world: World, fault: Extract<Fault, { readonly fault: "actor.crash" }>): void =>
  strike(world, fault, ({ kind, machine }) => kind === "machine" && (fault.machine === undefined || machine === fault.machine), (actors, victim) => actors.send(victim.address, poison))

/** Its start is its end. Removed when the supervisor has not given up by then: some never do. */
const crashing = machineChild({ id: "crashing", logic: setup({}).createMachine({ entry: () => { throw new Error("crashed by the simulation") } }), restart: "permanent", shutdownMs: 100 })
const givesUpWithin = "8 seconds"

const crashSupervisor = (world: World, fault: Extract<Fault, { readonly fault: "supervisor.crash" }>): void =>
  strike(world, fault, ({ kind }) => kind === "supervisor", (actors, victim) => Effect.flatMap(actors.supervisor(victim.address), (supervisor) =>
    Effect.andThen(supervisor.startChild(crashing), Effect.timeoutOrElse(supervisor.ended, { duration: givesUpWithin, orElse: () => supervisor.stopChild(crashing.id) }))))

/** Nothing is wrong any more, and everything runs. */
export const putRight = (world: World): void => {
  const { coordinator, database, hosts, network } = world
  world.isPutRight = true
  for (const cancel of world.undoing.splice(0)) cancel()
  database.isAway = false
  database.slowness = 0
  coordinator.isAway = false
  world.startControl()
  for (const host of hosts.values()) {
    const weather = network.weather(host.name)
    weather.deafness = 0
    weather.latencyMs = usualLatencyMs
    network.heal(host.name)
    host.disk.full = false
    host.disk.slowness = 0
    host.meshd.applyMs = usualApplyMs
    host.boot()
  }
}
