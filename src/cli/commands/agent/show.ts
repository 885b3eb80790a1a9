/** `gstacks agent show host-1` */
import { Clock, Effect } from "effect"
import { Command } from "effect/cli"
import { ControlApi } from "../../ControlApi.ts"
import { describeContact } from "../../output/contact.ts"
import { properties } from "../../output/table.ts"
import { show as showView } from "../../output/view.ts"
import { reference } from "../../words.ts"

export const show = Command.make("show", { agent: reference("agent", "Agent, by name or id") }, Effect.fn(function*({ agent }) {
  const api = yield* ControlApi
  const found = yield* api.call((client) => client.agents.show({ params: { agent } }))
  const { host } = found
  const now = yield* Clock.currentTimeMillis
  yield* showView({
    document: found,
    table: () =>
      properties([
        ["Name", found.name], ["Id", found.id], ["State", found.online ? "online" : "offline"], ["Last seen", found.lastSeenAt],
        ["Contact", found.contact && describeContact(found.contact, now)], ["Enrolled", found.enrolledAt],
        ["Sandboxes", found.sandboxes], ["Networks", found.networks.join(", ")],
        ["Version", host?.version], ["meshd", host?.meshdVersion], ["Transport", host?.transport], ["Local socket", host?.localSocket], ["Started", host?.startedAt]
      ]),
    names: () => [found.name]
  })
})).pipe(Command.withDescription("Show an agent: state, versions, sandboxes, networks"), Command.withExamples([{ command: "gstacks agent show host-1" }]))
