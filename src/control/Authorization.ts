/** Who calls the API: the owner of a user token, sent as bearer. */
import { Effect, Layer, Option, Redacted } from "effect"
import { Unauthorized } from "../domain/Problems.ts"
import { Authorization, Principal } from "../protocol/http/Api.ts"
import { Tokens } from "./Tokens.ts"

export const layer = Layer.effect(Authorization, Effect.gen(function*() {
  const tokens = yield* Tokens
  return Authorization.of({
    bearer: Effect.fn("Authorization.bearer")(function*(app, { credential }) {
      const token = yield* tokens.authenticate(Redacted.value(credential))
      if (Option.isNone(token)) {
        return yield* new Unauthorized({
          detail: Redacted.value(credential) === "" ? "The request carries no token." : "The token is not known, or has expired.",
          hint: "Log in: gstacks login"
        })
      }
      return yield* Effect.provideService(app, Principal, { name: token.value.name })
    })
  })
}))
