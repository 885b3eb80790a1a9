/** The `localNodes` group of the fake control plane: it has no mesh, so nobody can join. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { MeshUnavailable } from "../../src/domain/Problems.ts"
import { Api } from "../../src/protocol/http/Api.ts"

const noMesh = Effect.suspend(() => Effect.fail(new MeshUnavailable({ detail: "No mesh is configured.", hint: "gstacks doctor" })))

export const localNodes = HttpApiBuilder.group(Api, "localNodes", (handlers) => Effect.succeed(handlers.handleAll({
  list: () => Effect.succeed([]),
  join: () => noMesh,
  joined: () => noMesh,
  renew: () => Effect.die("nobody has joined"),
  publish: () => Effect.die("nobody has joined"),
  unpublish: () => Effect.die("nobody has joined"),
  answer: () => Effect.die("nobody has joined"),
  end: () => Effect.die("nobody has joined")
})))
