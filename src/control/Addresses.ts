/**
 * Who holds which virtual address. The first candidate of the host name that nobody holds is taken; a released address stays
 * behind as a tombstone for seven days, so that it never points at another alias while anyone may remember it.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { AliasId } from "../domain/Ids.ts"
import { AddressesExhausted } from "../domain/Problems.ts"
import { candidates, type VirtualAddress } from "../domain/VirtualAddress.ts"
import { now, rows } from "./Store.ts"

export const tombstoneDays = 7

const Held = Schema.Struct({ address: Schema.String })

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  /** Takes the address unless someone else got it since it was looked at. */
  const claim = (address: VirtualAddress, alias: AliasId, hostName: string, at: Date, forgotten: Date) =>
    Effect.map(
      sql`insert into virtual_addresses as v (address, alias_id, host_name, allocated_at)
        values (${address}, ${alias}, ${hostName}, ${at})
        on conflict (address) do update set alias_id = excluded.alias_id, host_name = excluded.host_name, allocated_at = excluded.allocated_at, released_at = null
        where v.released_at < ${forgotten} returning address`,
      (taken) => taken.length === 1
    )

  return {
    /** Inside the transaction that creates the alias. */
    allocate: Effect.fn("Addresses.allocate")(function*(alias: AliasId, hostName: string) {
      const at = yield* now
      const forgotten = new Date(at.getTime() - tombstoneDays * 86_400_000)
      const offered = candidates(hostName)
      for (let size = 16; ; size = Math.min(size * 4, 16_384)) { // nearly always the first one is free
        const batch = [...take(offered, size)]
        if (batch.length === 0) break
        const held = new Set((yield* rows(Held)(sql`
          select address from virtual_addresses
          where address in ${sql.in(batch)} and (released_at is null or released_at >= ${forgotten})`)).map((row) => row.address))
        for (const address of batch) {
          if (!held.has(address) && (yield* claim(address, alias, hostName, at, forgotten))) return address
        }
      }
      return yield* new AddressesExhausted({
        detail: "Every virtual address of 127.64.0.0/10 is held by an alias, or was within the last seven days.",
        hint: "Remove aliases that nobody uses; their addresses are free a week later."
      })
    }),
    /** Makes tombstones of the addresses of these aliases; before the aliases are deleted. */
    release: Effect.fn("Addresses.release")(function*(aliases: ReadonlyArray<AliasId>) {
      if (aliases.length === 0) return
      yield* sql`update virtual_addresses set alias_id = null, released_at = ${yield* now} where alias_id in ${sql.in(aliases)}`
    })
  }
})

function* take<A>(items: Generator<A>, count: number): Generator<A> {
  for (let taken = 0; taken < count; taken++) {
    const next = items.next()
    if (next.done) return
    yield next.value
  }
}

export class Addresses extends Context.Service<Addresses, Effect.Success<typeof make>>()("gstacks/control/Addresses") {
  static readonly layer = Layer.effect(Addresses, make)
}
