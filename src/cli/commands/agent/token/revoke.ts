/** `gstacks agent token revoke <token id>` */
import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { TokenId } from "../../../../domain/Ids.ts"
import { ControlApi } from "../../../ControlApi.ts"
import { usage } from "../../../Failure.ts"
import { show } from "../../../output/view.ts"
import { reference } from "../../../words.ts"

export const revoke = Command.make("revoke", { token: reference("token", "Token id, like tok_...") }, Effect.fn(function*({ token }) {
  if (!Schema.is(TokenId)(token)) return yield* usage(`${token} is no token id (tok_...)`, "gstacks agent token list")
  const api = yield* ControlApi
  const gone = yield* api.call((client) => client.tokens.revoke({ params: { token } }))
  yield* show({ document: gone, table: () => `token ${gone.id} (${gone.name}) revoked\n`, names: () => [gone.id] })
})).pipe(
  Command.withDescription("Revoke an enrolment token; agents that used it stay enrolled"),
  Command.withExamples([{ command: "gstacks agent token revoke tok_01j9x0k7q2c4m8f3za" }])
)
