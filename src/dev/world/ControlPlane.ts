/** What the world asks of the control plane while a cluster starts, over its Unix socket: is it there, a token per new host, who is online. */
import { Effect, Schedule, Schema } from "effect"
import { readFile } from "node:fs/promises"
import { request } from "node:http"
import { Agent, NewToken } from "../../domain/Agent.ts"
import { DevError } from "../DevError.ts"

const unhelpful = (message: string) => new DevError({ message, hint: "read control.log in the cluster's state folder" })

const call = (socketPath: string, method: string, path: string, token: string | null, body?: unknown) =>
  Effect.callback<string, DevError>((resume) => {
    const failed = (why: string) => resume(Effect.fail(unhelpful(`${method} ${path}: ${why}`)))
    const sent = request({
      socketPath,
      method,
      path,
      timeout: 5_000,
      headers: { host: "cluster", "content-type": "application/json", ...(token === null ? {} : { authorization: `Bearer ${token}` }) }
    }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.once("error", (error) => failed(error.message))
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString()
        if ((response.statusCode ?? 500) >= 300) return failed(`status ${response.statusCode}: ${text}`)
        resume(Effect.succeed(text))
      })
    })
    sent.once("timeout", () => sent.destroy(new Error("no answer within 5 s")))
    sent.once("error", (error) => failed(error.message))
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    return Effect.sync(() => sent.destroy())
  })

const patiently = <A>(seconds: number, effect: Effect.Effect<A, DevError>) =>
  Effect.retry(effect, Schedule.max([Schedule.spaced("50 millis"), Schedule.recurs(seconds * 20)]))

export const healthy = (socketPath: string) => patiently(60, call(socketPath, "GET", "/healthz", null)).pipe(Effect.asVoid)

export const adminToken = (file: string) =>
  Effect.tryPromise({
    try: async () => (await readFile(file, "utf8")).trim(),
    catch: () => unhelpful(`the control plane has written no token to ${file}`)
  })

export const enrolmentToken = (socketPath: string, token: string, host: string) =>
  call(socketPath, "POST", "/api/v1/tokens", token, { kind: "enrolment", name: host, ttlSeconds: 600 }).pipe(
    Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(NewToken))),
    Effect.mapError((error) => unhelpful(`no enrolment token for ${host}: ${error.message}`)),
    Effect.map((created) => created.secret)
  )

/** Ends when every host's agent is online; tells each as it comes. */
export const allOnline = (socketPath: string, token: string, hosts: ReadonlyArray<string>, tell: (host: string) => void) => {
  const missing = new Set(hosts)
  const look = call(socketPath, "GET", "/api/v1/agents", token).pipe(
    Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(Schema.Array(Agent)))),
    Effect.mapError((error) => unhelpful(error.message)),
    Effect.flatMap((agents) => {
      for (const agent of agents) if (agent.online && missing.delete(agent.name)) tell(agent.name)
      return missing.size === 0 ? Effect.void : Effect.fail(
        new DevError({ message: `not online within 30 s: ${[...missing].join(", ")}`, hint: "read the agents' logs in the cluster's state folder" })
      )
    })
  )
  return patiently(30, look)
}
