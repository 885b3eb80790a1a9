/** An HTTP client over node:http that also speaks over Unix sockets. One connection a request, answers of at most 64 MiB. */
import { Effect } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as http from "node:http"
import * as https from "node:https"

const maxBytes = 64 * 1024 * 1024

/** As much of a web response as is read of one. Node's own would load all of undici, which takes as long as the request. */
const answer = ({ headersDistinct, statusCode }: http.IncomingMessage, content: Buffer): Response => ({
  status: statusCode!, headers: Object.entries(headersDistinct).map(([name, values]) => [name, values!.join(", ")]), url: "",
  arrayBuffer: async () => new Uint8Array(content).buffer
}) as unknown as Response

const bodyOf = (request: HttpClientRequest.HttpClientRequest): Uint8Array | undefined =>
  request.body._tag === "Uint8Array" ? request.body.body : undefined

export const nodeHttp = (socketPath: string | undefined): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.callback<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      const fail = (cause: unknown) =>
        resume(Effect.fail(new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })))
      const body = bodyOf(request)
      const sent = (url.protocol === "https:" ? https : http).request(url, {
        method: request.method, signal, agent: false, ...(socketPath === undefined ? {} : { socketPath }),
        headers: { ...request.headers, ...(body === undefined ? {} : { "content-length": body.byteLength }) }
      }, (response) => {
        const chunks: Array<Buffer> = []
        let size = 0
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          if ((size += chunk.byteLength) > maxBytes) response.destroy(new Error("the answer is larger than 64 MiB"))
        })
        response.on("error", fail)
        response.on("end", () => resume(Effect.succeed(HttpClientResponse.fromWeb(request, answer(response, Buffer.concat(chunks))))))
      })
      sent.on("error", fail)
      sent.end(body)
    }))
