/** How the agent dials the control plane. */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Layer } from "effect"
import { Socket } from "effect/socket"

/** Largest message of the control plane, in bytes: ten times the topology of 10,000 aliases with a member and a rule each. */
export const largestMessage = 64 << 20

export const webSockets = Layer.succeed(Socket.WebSocketConstructor, (url, options) => {
  const { headers, protocols } = typeof options === "string" || Array.isArray(options) ? { headers: {}, protocols: options } : { headers: {}, protocols: undefined, ...options }
  return new NodeWS.WebSocket(url, protocols, { headers, maxPayload: largestMessage })
})
