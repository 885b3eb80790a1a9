import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { environment, exported } from "../../src/cli/commands/mesh/forward/environment.ts"
import { AliasName, Port } from "../../src/domain/DnsLabel.ts"

const forward = (alias: string, port: number, listen: string) => ({ network: "my-dev", alias: AliasName.make(alias), port: Port.make(port), listen })

describe("the variables of forwards", () => {
  it("name alias, network and port, and those without a port are of the lowest", () => {
    assert.deepStrictEqual(environment([forward("web-api", 9090, "127.0.0.1:9090"), forward("web-api", 8080, "[::1]:40001")]), [
      ["WEB_API_MY_DEV_URL", "http://[::1]:40001"], ["WEB_API_MY_DEV_HOST", "::1"], ["WEB_API_MY_DEV_PORT", "40001"],
      ["WEB_API_MY_DEV_8080_URL", "http://[::1]:40001"], ["WEB_API_MY_DEV_8080_HOST", "::1"], ["WEB_API_MY_DEV_8080_PORT", "40001"],
      ["WEB_API_MY_DEV_9090_URL", "http://127.0.0.1:9090"], ["WEB_API_MY_DEV_9090_HOST", "127.0.0.1"], ["WEB_API_MY_DEV_9090_PORT", "9090"]
    ])
  })

  it("guess the scheme by the alias's port, not by the local one", () => {
    const urls = environment([forward("db", 5432, "127.0.0.1:40001"), forward("cache", 6379, "127.0.0.1:443")]).filter(([name]) => /^\w+_MY_DEV_URL$/.test(name) && !/\d/.test(name))
    assert.deepStrictEqual(urls, [["CACHE_MY_DEV_URL", "redis://127.0.0.1:443"], ["DB_MY_DEV_URL", "postgres://127.0.0.1:40001"]])
  })

  it("survive a shell's eval, whatever the path of a socket", () => {
    const path = "/tmp/it's $HOME `here`"
    const said = execFileSync("sh", ["-c", "eval \"$1\"; printf %s \"$DB_MY_DEV_SOCKET\"", "sh", exported(environment([forward("db", 5432, `unix:${path}`)]))], { encoding: "utf8" })
    assert.strictEqual(said, path)
  })
})
