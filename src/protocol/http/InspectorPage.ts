/**
 * The inspector page as control plane and agent serve it: three files below `/inspector/`, for anyone, since they hold nothing; what
 * they show is asked for with a token. The policy lets the page load from and talk to its own server only.
 */
import { Effect, FileSystem, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { problem } from "./problems.ts"

const types = {
  "index.html": "text/html; charset=utf-8",
  "inspector.js": "text/javascript; charset=utf-8",
  "inspector.css": "text/css; charset=utf-8"
}

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache"
}

/** Answers of a moment share one copy of the file, however many are asked for and not read. */
const sharedFor = "5 seconds"

const absent = problem(404, "Not Found", "The inspector page is not part of this installation.", "Build it: scripts/setup")

/** To the router `/inspector` is the same as `/inspector/`; to a browser the page's files are beside it only with the slash. */
const withSlash = <E, R>(page: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => Effect.gen(function*() {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  return /^[^?]*[^/?](\?|$)/.test(url) ? HttpServerResponse.redirect("/inspector/") : yield* page
})

/** `folder` holds the files, as the build made them. */
export const layer = (folder: string): Layer.Layer<never, never, FileSystem.FileSystem | HttpRouter.HttpRouter> => HttpRouter.use(Effect.fnUntraced(function*(router) {
  const fs = yield* FileSystem.FileSystem
  const file = (name: keyof typeof types) => fs.readFile(`${folder}/${name}`).pipe(
    Effect.map((content) => HttpServerResponse.uint8Array(content, { contentType: types[name], headers })),
    Effect.orElseSucceed(() => absent),
    Effect.cachedWithTTL(sharedFor)
  )
  yield* router.add("GET", "/inspector/", withSlash(yield* file("index.html")))
  yield* router.add("GET", "/inspector/inspector.js", yield* file("inspector.js"))
  yield* router.add("GET", "/inspector/inspector.css", yield* file("inspector.css"))
}))
