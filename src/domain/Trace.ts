/** `network trace`: the hops of a stream from a source to an alias, with how long each took. Durations are of one host each; clocks are never compared. */
import { Schema } from "effect"
import { Looker, Outcome, Verdict } from "./Diagnostic.ts"

export const HopName = Schema.Literals(["name", "source", "mesh", "target", "app", "firstByte"])
export type HopName = typeof HopName.Type

/** In the order in which a stream takes them. */
export const hopNames: ReadonlyArray<HopName> = ["name", "source", "mesh", "target", "app", "firstByte"]

export const Hop = Schema.Struct({
  /** `host`: where it happens, or, of a hop that failed, where the trouble is. */
  hop: HopName, host: Schema.NullOr(Looker), outcome: Outcome, micros: Schema.NullOr(Schema.Finite), detail: Schema.String, next: Schema.NullOr(Schema.String)
})
export type Hop = typeof Hop.Type

export const Trace = Schema.Struct({
  network: Schema.String, source: Schema.String, alias: Schema.String, port: Schema.Int,
  /** Of the topology that the verdict follows from. */
  version: Schema.Int, at: Schema.String, hops: Schema.Array(Hop),
  /** The first hop that failed. */
  broken: Schema.NullOr(HopName), verdict: Verdict
})
export type Trace = typeof Trace.Type

export const describeHop: Readonly<Record<HopName, string>> = {
  name: "name lookup", source: "source permit", mesh: "mesh path", target: "target permit", app: "connect to app", firstByte: "first byte"
}

export const brokenHop = (hops: ReadonlyArray<Hop>): HopName | null => hops.find(({ outcome }) => outcome === "fail")?.hop ?? null
