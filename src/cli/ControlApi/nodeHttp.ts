/** An HTTP client over node:http that also speaks over Unix sockets. One connection a request, answers of at most 64 MiB. */
import { Effect } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as http from "node:http"
import * as https from "node:https"

const maxBytes = 64 * 1024 * 1024

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
        response.on("end", () => {
          const headers = new Headers()
          for (const [name, value] of Object.entries(response.headersDistinct)) for (const one of value ?? []) headers.append(name, one)
          const status = response.statusCode!
          const content = status === 204 || status === 304 ? null : Buffer.concat(chunks)
          resume(Effect.succeed(HttpClientResponse.fromWeb(request, new Response(content, { status, headers }))))
        })
      })
      sent.on("error", fail)
      sent.end(body)
    }))
