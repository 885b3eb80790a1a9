/** A service as it is, with some of it replaced. */
import { type Context, Effect, Layer } from "effect"

export const altered = <Id, Shape extends object, E, R>(tag: Context.Service<Id, Shape>, layer: Layer.Layer<Id, E, R>, change: (real: Shape) => Partial<Shape>): Layer.Layer<Id, E, R> =>
  Layer.effect(tag, Effect.map(Effect.service(tag), (real) => ({ ...real, ...change(real) }))).pipe(Layer.provide(layer)) as Layer.Layer<Id, E, R>
