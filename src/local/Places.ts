/** Where this process keeps what it has, and the program that carries its bytes. */
import { Context, Layer } from "effect"
import { join } from "node:path"
import { type Places as Paths, placesIn } from "../cli/LocalDaemon/places.ts"

export class Places extends Context.Service<Places, Paths & { readonly meshd: string }>()("gstacks/local/Places") {
  static readonly layer = Layer.sync(Places, () => Places.of({
    ...placesIn(process.env), meshd: join(process.env["GLOBALSTACKS_LIBEXEC"] || join(import.meta.dirname, "bin"), "meshd")
  }))
}
