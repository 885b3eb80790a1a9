/** What users do and what goes wrong in a run, and when: drawn from a seed, plain data, so that a failing schedule can be cut down and run again. */
import { draw, type Draw } from "./random.ts"

export type UserOperation =
  | { readonly op: "create" | "delete"; readonly network: string }
  | { readonly op: "attach"; readonly network: string; readonly box: string; readonly alias?: string; readonly port: number }
  | { readonly op: "detach"; readonly network: string; readonly box: string }
  | { readonly op: "alias.add"; readonly network: string; readonly box: string; readonly alias: string; readonly port: number }
  | { readonly op: "alias.remove"; readonly network: string; readonly alias: string; readonly port?: number }
  | { readonly op: "alias.move"; readonly network: string; readonly alias: string; readonly box: string }
  | { readonly op: "allow"; readonly network: string; readonly from: string; readonly alias: string; readonly port: number; readonly forSeconds?: number }
  /** The nth rule that is there then. */
  | { readonly op: "revoke"; readonly network: string; readonly nth: number }
  | { readonly op: "run"; readonly box: string; readonly host: string; readonly team: string }
  | { readonly op: "stop" | "remove"; readonly box: string }
  /** `network test`, followed to its end. */
  | { readonly op: "test"; readonly network: string; readonly from: string; readonly alias: string; readonly port: number }
  /** Removes what runs on a host, then the agent. */
  | { readonly op: "retire"; readonly host: string }

export type Fault =
  | { readonly fault: "control.kill" | "control.stop" | "database.away" | "coordinator.away"; readonly forMs: number }
  | { readonly fault: "database.slow"; readonly byMs: number; readonly forMs: number }
  | { readonly fault: "agent.kill" | "agent.stop" | "power" | "meshd.crash" | "network.cut" | "network.deaf" | "disk.full"; readonly host: string; readonly forMs: number }
  | { readonly fault: "meshd.disconnect" | "network.reset"; readonly host: string }
  | { readonly fault: "network.slow" | "disk.slow" | "meshd.slow"; readonly host: string; readonly byMs: number; readonly forMs: number }
  /** Also of the control plane's: "control". */
  | { readonly fault: "clock.jump"; readonly host: string; readonly byMs: number }
  /** The nth of the actors that run then, or of a machine's; `process` is a host or "control". */
  | { readonly fault: "actor.crash"; readonly process: string; readonly nth: number; readonly machine?: string }
  /** The nth of the supervisors that run then gets a child that crashes until it gives up, if it ever does. */
  | { readonly fault: "supervisor.crash"; readonly process: string; readonly nth: number }
  /** A program ends by itself. */
  | { readonly fault: "sandbox.exit"; readonly host: string; readonly nth: number }

export type Action = UserOperation | Fault
/** `at`: milliseconds after the cluster has begun. The number names it, also in what it leaves behind. */
export interface Step { readonly number: number; readonly at: number; readonly action: Action }
export type Schedule = ReadonlyArray<Step>

export const hostNames = ["host-1", "host-2", "host-3"] as const
const networks = ["dev", "ops"]
const boxes = ["web", "api", "db", "cron", "lab"]
const aliases = ["www", "sql", "log"]
const ports = [80, 81]
const teams = ["red", "blue"]
/** The longest outlasts the run: what is wrong with it is not over before it is seen. */
const durationsSeconds = [1, 3, 8, 20, 600]

/** Something to go wrong with. */
export const opening: ReadonlyArray<UserOperation> = [
  { op: "create", network: "dev" },
  { op: "run", box: "web", host: "host-1", team: "red" },
  { op: "run", box: "api", host: "host-2", team: "blue" },
  { op: "attach", network: "dev", box: "web", port: 80 },
  { op: "attach", network: "dev", box: "api", alias: "www", port: 80 },
  { op: "allow", network: "dev", from: "any", alias: "www", port: 80 }
]
export const openingMs = 200
const lengthMs = 16_000

const userOperation = ({ pick, below, chance }: Draw): UserOperation => {
  const network = chance(0.75) ? "dev" : pick(networks), box = pick(boxes), alias = pick(aliases), port = pick(ports), host = pick(hostNames)
  switch (below(25)) {
    case 0: return { op: "create", network: pick(networks) }
    case 1: return chance(0.4) ? { op: "delete", network: pick(networks) } : { op: "create", network: pick(networks) }
    case 2: case 3: return { op: "attach", network, box, port }
    case 4: case 5: case 6: return { op: "attach", network, box, alias, port }
    case 7: return { op: "detach", network, box }
    case 8: return { op: "alias.add", network, box, alias, port }
    case 9: return chance(0.5) ? { op: "alias.remove", network, alias, port } : { op: "alias.remove", network, alias }
    case 10: return { op: "alias.move", network, alias, box }
    case 11: case 12: case 13: case 14: return { op: "allow", network, from: pick(["any", "local", `sandbox:${box}`, pick(aliases), `label:team=${pick(teams)}`]), alias, port, ...(chance(0.5) ? { forSeconds: pick(durationsSeconds) } : {}) }
    case 15: case 16: return { op: "revoke", network, nth: below(4) }
    case 17: case 18: case 19: return { op: "run", box, host, team: pick(teams) }
    case 20: return chance(0.3) ? { op: "stop", box } : { op: "remove", box }
    case 22: return { op: "test", network: "dev", from: pick(["any", "local", `sandbox:${box}`]), alias: "www", port: 80 }
    case 23: return { op: "test", network, from: `sandbox:${pick(["web", "api"])}`, alias, port }
    // The opening's rule gets an end: most others find no such alias.
    case 21: return { op: "allow", network: "dev", from: "any", alias: "www", port: 80, forSeconds: pick(durationsSeconds) }
    default: return chance(0.4) ? { op: "retire", host } : { op: "remove", box }
  }
}

const fault = ({ pick, below, between }: Draw): Fault => {
  const host = pick(hostNames), forMs = between(20, 5000)
  switch (below(23)) {
    case 0: return { fault: "control.kill", forMs }
    case 1: return { fault: "control.stop", forMs }
    case 2: return { fault: "database.away", forMs }
    case 3: return { fault: "database.slow", byMs: between(1, 60), forMs }
    case 4: return { fault: "coordinator.away", forMs }
    case 5: case 6: return { fault: "agent.kill", host, forMs }
    case 7: return { fault: "agent.stop", host, forMs }
    case 8: return { fault: "power", host, forMs }
    case 9: return { fault: "meshd.crash", host, forMs }
    case 10: return { fault: "meshd.disconnect", host }
    case 11: return { fault: "meshd.slow", host, byMs: between(10, 3000), forMs }
    case 12: return { fault: "network.cut", host, forMs: between(20, 12_000) }
    case 13: return { fault: "network.deaf", host, forMs }
    case 14: return { fault: "network.reset", host }
    case 15: return { fault: "network.slow", host, byMs: between(10, 4000), forMs }
    case 16: return { fault: "disk.full", host, forMs }
    case 17: return { fault: "disk.slow", host, byMs: between(5, 1500), forMs }
    case 18: return { fault: "clock.jump", host: pick([...hostNames, "control"]), byMs: pick([-3_600_000, -120_000, -2000, 2000, 120_000, 3_600_000]) }
    case 19: case 20: return { fault: "actor.crash", process: pick([...hostNames, "control"]), nth: below(30) }
    case 21: return { fault: "supervisor.crash", process: pick([...hostNames, "control"]), nth: below(12) }
    default: return { fault: "sandbox.exit", host, nth: below(4) }
  }
}

export const scheduleFor = (seed: number): Schedule => {
  const from = draw(seed, "schedule")
  const random = Array.from({ length: from.between(12, 36) }, () => ({
    at: opening.length * openingMs + from.below(lengthMs), action: from.chance(0.62) ? userOperation(from) : fault(from)
  })).sort((a, b) => a.at - b.at)
  return [...opening.map((action, index) => ({ at: index * openingMs, action })), ...random].map((step, number) => ({ number, ...step }))
}

export const describe = ({ number, at, action }: Step): string => {
  const { name, rest } = "op" in action ? splitOff(action, "op") : splitOff(action, "fault")
  return `${(at / 1000).toFixed(3).padStart(9)} ${String(number).padStart(3)} ${name} ${Object.entries(rest).map(([key, value]) => `${key}=${value}`).join(" ")}`.trimEnd()
}
const splitOff = (action: Action, key: "op" | "fault") => {
  const { [key]: name, ...rest } = action as unknown as Record<string, unknown>
  return { name: String(name), rest }
}
