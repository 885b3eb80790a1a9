/** Offers the control plane, which listens on a Unix socket of the cluster, at 127.0.0.1 on the user's machine. Both directions close on their own. */
import { Effect } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

const join = (socketPath: string) => (client: Socket) => {
  const upstream = connect({ path: socketPath, allowHalfOpen: true })
  const abort = () => {
    client.destroy()
    upstream.destroy()
  }
  client.on("error", abort).pipe(upstream)
  upstream.on("error", abort).pipe(client)
}

const bind = (server: Server, port: number) =>
  Effect.callback<void, Error>((resume) => {
    const failed = (error: Error) => resume(Effect.fail(error))
    server.once("error", failed).listen(port, "127.0.0.1", () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })

/** Takes `wanted` when it is free, so that a cluster keeps its address, else any free port. Answers with the port. */
export const listen = Effect.fn("dev.relay")(function*(socketPath: string, wanted: number) {
  const open = new Set<Socket>()
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createServer({ allowHalfOpen: true }, join(socketPath))),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of open) socket.destroy()
      })
  )
  server.on("connection", (socket) => {
    open.add(socket)
    socket.once("close", () => open.delete(socket))
  })
  yield* bind(server, wanted).pipe(Effect.catch(() => Effect.orDie(bind(server, 0))))
  return (server.address() as AddressInfo).port
})
