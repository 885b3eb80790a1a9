/** `gstacks agent ...` and `gstacks agent token ...`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { contactOf } from "../../src/domain/Contact.ts"
import { makeWorld } from "./world.ts"

describe("agent", () => {
  it.live("list and show", () =>
    Effect.gen(function*() {
      const { cli, fake, json } = yield* makeWorld
      fake.agents[1] = { ...fake.agents[1]!, online: false, host: null }
      assert.match((yield* cli("agent list")).stdout, /host-1 +online +\S+ +- +0 +- +tun +0\.1\.0\nhost-2 +offline +\S+ +- +0 +- +- +-\n$/)
      assert.match((yield* cli("agent show host-1")).stdout, /State: +online/)
      assert.strictEqual((yield* json("agent show host-2")).online, false)
    }).pipe(Effect.scoped))

  it.live("say until when an agent that is out of touch goes on granting", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      const last = Date.now() - 60_000, freezesAt = new Date(last + 86_400_000).toISOString()
      fake.agents[1] = { ...fake.agents[1]!, online: false, contact: contactOf({ inTouch: false, last, limitMs: 86_400_000 }, Date.now()) }
      assert.match((yield* cli("agent list")).stdout, new RegExp(`host-2 +offline +\\S+ +${freezesAt} `))
      assert.match((yield* cli("agent show host-2")).stdout, new RegExp(`Contact: +out of touch for 1m\\w*, since \\S+: new connections are refused from ${freezesAt} on, in 23h5\\dm; open ones live on\n`))
    }).pipe(Effect.scoped))

  it.live("list when there is none says how to get one", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.agents.length = 0
      assert.strictEqual((yield* cli("agent list")).stderr, "there are no agents\nnext: gstacks agent token create\n")
    }).pipe(Effect.scoped))

  it.live("remove", () =>
    Effect.gen(function*() {
      const { cli, fake } = yield* makeWorld
      fake.sandboxes.length = 0
      assert.strictEqual((yield* cli("agent remove host-1 --yes")).stdout, "agent host-1 removed; its credential is void\n")
      assert.strictEqual(fake.agents.length, 1)
    }).pipe(Effect.scoped))

  it.live("token create prints the secret alone on stdout, list never has it, revoke ends it", () =>
    Effect.gen(function*() {
      const { cli, json } = yield* makeWorld
      const made = yield* cli("agent token create host-3 --ttl 30m")
      assert.strictEqual(made.stdout, "gse_secret\n")
      assert.match(made.stderr, /^token tok_\w+: shown once, enrols one agent, until \S+\nnext: on the host, /)
      const listed = yield* cli("agent token list")
      assert.match(listed.stdout, /tok_\w+ +host-3/)
      assert.notInclude(listed.stdout, "gse_secret")
      const [{ id }] = yield* json("agent token list")
      assert.strictEqual((yield* cli(`agent token revoke ${id}`)).stdout, `token ${id} (host-3) revoked\n`)
      assert.include((yield* cli("agent token list")).stderr, "next: gstacks agent token create")
    }).pipe(Effect.scoped))
})
