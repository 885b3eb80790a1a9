/** `gstacks network create dev` */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { NetworkName } from "../../../domain/DnsLabel.ts"
import { showChange } from "../../Changes.ts"
import { ControlApi } from "../../ControlApi.ts"
import { newName } from "../../words.ts"

export const create = Command.make("create", {
  name: newName("name", "Name of the network; its DNS suffix is <name>.gstacks", NetworkName),
  mode: Flag.Literals("mode", ["agent_proxy", "routed_mesh"]).pipe(
    Flag.withDescription("Traffic mode; routed_mesh is not supported yet"), Flag.withMetavar("<agent_proxy|routed_mesh>"), Flag.withDefault("agent_proxy")
  )
}, Effect.fn(function*({ name, mode }) {
  const api = yield* ControlApi
  const { value, change } = yield* api.call((client) => client.networks.create({ payload: { name, mode } }))
  yield* showChange({ value, changes: [change], name: value.name, said: `network ${value.name} created; its names end in .${value.suffix}` })
})).pipe(
  Command.withDescription("Create a network"),
  Command.withExamples([{ command: "gstacks network create dev" }])
)
