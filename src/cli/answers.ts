/** Whether somebody listens there. */
import { Effect } from "effect"
import { createConnection, type NetConnectOpts } from "node:net"

export const answers = (at: NetConnectOpts): Effect.Effect<boolean> => Effect.callback((resume) => {
  const socket = createConnection(at)
  const say = (yes: boolean) => { socket.destroy(); resume(Effect.succeed(yes)) }
  socket.once("connect", () => say(true)).once("error", () => say(false))
})
