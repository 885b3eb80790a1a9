/** Who calls the API: the owner of a user token, sent as bearer; an inspector's token only looks at actors. */
import { Effect, Layer, Option, Redacted } from "effect"
import { Unauthorized } from "../domain/Problems.ts"
import { Authorization, Principal } from "../protocol/http/Authorization.ts"
import { DebugGroup } from "../protocol/http/DebugApi.ts"
import { Tokens } from "./Tokens.ts"

export const layer = Layer.effect(Authorization, Effect.gen(function*() {
  const tokens = yield* Tokens
  return Authorization.of({
    bearer: Effect.fn("Authorization.bearer")(function*(app, { credential, group }) {
      const token = yield* tokens.authenticate(Redacted.value(credential))
      if (Option.isNone(token)) {
        return yield* new Unauthorized({
          detail: Redacted.value(credential) === "" ? "The request carries no token." : "The token is not known, or has expired.",
          hint: "Log in: gstacks login"
        })
      }
      if (token.value.kind === "inspector" && group.identifier !== DebugGroup.identifier) {
        return yield* new Unauthorized({ detail: "This token opens the inspector, and nothing else.", hint: "Log in: gstacks login" })
      }
      return yield* Effect.provideService(app, Principal, { name: token.value.name, token: token.value.id })
    })
  })
}))
