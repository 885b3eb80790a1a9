/** The `sandboxes` group of the HTTP API. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../../protocol/http/Api.ts"
import { Sandboxes } from "../Sandboxes.ts"

export const layer = HttpApiBuilder.group(Api, "sandboxes", Effect.fnUntraced(function*(handlers) {
  const sandboxes = yield* Sandboxes
  return handlers.handleAll({
    list: () => sandboxes.list,
    run: ({ payload }) => sandboxes.run(payload),
    show: ({ params }) => sandboxes.show(params.sandbox),
    logs: ({ params }) => sandboxes.logs(params.sandbox),
    stop: ({ params }) => sandboxes.stop(params.sandbox),
    remove: Effect.fnUntraced(function*({ params }) {
      const value = yield* sandboxes.show(params.sandbox)
      const { changes } = yield* sandboxes.remove(value.id)
      return { value, changes }
    })
  })
}))
