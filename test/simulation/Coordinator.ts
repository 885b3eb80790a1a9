/** The mesh's coordinator, as much of Headscale as the control plane and meshd notice: keys that work once, nodes, deletions. It can be away. */
import { Effect } from "effect"
import type { HeadscaleApi, Node } from "../../src/control/Headscale/Api.ts"
import { MeshUnavailable } from "../../src/domain/Problems.ts"

interface Key { readonly id: string; readonly tag: string; readonly expiresAt: number; isUsed: boolean }
export interface Registered { readonly nodeId: string; readonly address: string }

const answerMs = 20

export class Coordinator {
  isAway = false
  readonly #clock: () => number
  readonly #keys = new Map<string, Key>()
  readonly #nodes = new Map<string, Node>()
  #lastId = 0

  constructor(clock: () => number) { this.#clock = clock }

  /** meshd's way in; `undefined`: the key is not accepted. */
  register(authKey: string, hostname: string): Registered | undefined {
    const key = this.#keys.get(authKey)
    if (key === undefined || key.isUsed || key.expiresAt < this.#clock()) return undefined
    key.isUsed = true
    const id = String(++this.#lastId), address = `100.64.${this.#lastId >> 8}.${this.#lastId & 255}`
    this.#nodes.set(id, { id, givenName: hostname, name: hostname, ipAddresses: [address], preAuthKey: { id: key.id }, tags: [key.tag] })
    return { nodeId: id, address }
  }
  knows(nodeId: string): boolean { return this.#nodes.has(nodeId) }
  get nodes(): ReadonlyArray<Node> { return [...this.#nodes.values()] }

  #call<A>(act: () => A): Effect.Effect<A, MeshUnavailable> {
    const away = new MeshUnavailable({ detail: "The mesh coordinator does not answer.", hint: "Try again." })
    const exchange = Effect.suspend(() => this.isAway ? Effect.fail(away) : Effect.succeed(act()))
    // Its answer can be lost, when it has acted already.
    return Effect.andThen(Effect.sleep(answerMs), Effect.tap(exchange, () => Effect.andThen(Effect.sleep(answerMs), Effect.suspend(() => this.isAway ? Effect.fail(away) : Effect.void))))
  }

  readonly api: HeadscaleApi = {
    answers: this.#call(() => {}),
    createPreAuthKey: (tag, expiresAt) => this.#call(() => {
      const id = String(++this.#lastId), key = `key-${id}`
      this.#keys.set(key, { id, tag, expiresAt: expiresAt.getTime(), isUsed: false })
      return { id, key, expiration: expiresAt.toISOString() }
    }),
    nodes: this.#call(() => this.nodes),
    deleteNode: (id) => this.#call(() => { this.#nodes.delete(id) }),
    setPolicy: () => this.#call(() => {})
  }
}
