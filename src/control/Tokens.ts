/** Tokens: what users log in with, what opens the inspector, and what enrols a host. A secret is shown once, at creation. */
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Token, TokenKind } from "../domain/Agent.ts"
import { makeId, TokenId } from "../domain/Ids.ts"
import { TokenNotFound } from "../domain/Problems.ts"
import { Audit } from "./Audit.ts"
import { hashSecret, makeSecret } from "./Secrets.ts"
import { now, rows, stored, Time } from "./Store.ts"

const Row = Schema.Struct({
  id: TokenId, kind: TokenKind, name: Schema.String, createdAt: Time, expiresAt: Schema.NullOr(Time), usedAt: Schema.NullOr(Time), usedBy: Schema.NullOr(Schema.String)
})

const make = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const audit = yield* Audit
  const select = sql`select id, kind, name, created_at, expires_at, used_at, used_by from tokens`

  return {
    list: stored(rows(Row)(sql`${select} order by id`)),

    create: (kind: Token["kind"], name: string, ttlSeconds?: number) => stored(sql.withTransaction(Effect.gen(function*() {
      const secret = yield* makeSecret(kind)
      const at = yield* now
      if (kind === "inspector") yield* sql`delete from tokens where kind = 'inspector' and expires_at <= ${at}` // one a look: they would pile up
      const expires = ttlSeconds === undefined ? null : new Date(at.getTime() + ttlSeconds * 1000)
      const token: Token = {
        id: yield* makeId(TokenId, "tok"), kind, name, createdAt: at.toISOString(), expiresAt: expires?.toISOString() ?? null, usedAt: null, usedBy: null
      }
      yield* sql`insert into tokens (id, kind, name, secret_hash, created_at, expires_at)
        values (${token.id}, ${kind}, ${name}, ${hashSecret(secret)}, ${at}, ${expires})`
      yield* audit.write("token.create", { id: token.id, kind, name })
      return { token, secret }
    }))),

    revoke: (id: TokenId) => stored(sql.withTransaction(Effect.gen(function*() {
      const [token] = yield* rows(Row)(sql`${select} where id = ${id}`)
      if (token === undefined) return yield* new TokenNotFound({ detail: `There is no token "${id}".`, hint: "See the tokens: gstacks agent token list" })
      yield* sql`delete from tokens where id = ${id}`
      yield* audit.write("token.revoke", { id, kind: token.kind, name: token.name })
      return token
    }))),

    /** The token with this secret that logs somebody in, unless it has expired. */
    authenticate: (secret: string) => stored(Effect.gen(function*() {
      const [token] = yield* rows(Row)(sql`${select} where kind in ('user', 'inspector') and secret_hash = ${hashSecret(secret)}`)
      return token !== undefined && (yield* isValid(token)) ? Option.some(token) : Option.none()
    })),

    /** Inside the transaction that enrols `agent`: marks the token used, or says why it is not accepted. */
    spend: Effect.fn("Tokens.spend")(function*(secret: string, agent: string) {
      const [token] = yield* rows(Row)(sql`${select} where kind = 'enrolment' and secret_hash = ${hashSecret(secret)} for update`)
      if (token === undefined) return "it is not known (mistyped, or revoked)"
      if (token.usedAt !== null) return `agent "${token.usedBy}" has used it; a token enrols one agent`
      if (!(yield* isValid(token))) return `it expired at ${token.expiresAt}`
      yield* sql`update tokens set used_at = ${yield* now}, used_by = ${agent} where id = ${token.id}`
      return undefined
    })
  }
})

const isValid = (token: Token): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (millis) => token.expiresAt === null || Date.parse(token.expiresAt) > millis)

export class Tokens extends Context.Service<Tokens, Effect.Success<typeof make>>()("gstacks/control/Tokens") {
  static readonly layer = Layer.effect(Tokens, make)
}
