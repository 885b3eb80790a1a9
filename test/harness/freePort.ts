/** A TCP port of the loopback that nobody listens on at the moment. */
import { Effect } from "effect"
import { createServer } from "node:net"

export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address() as { readonly port: number }
    probe.close(() => resume(Effect.succeed(port)))
  })
})
