/** A mesh coordinator for service tests: keys, nodes and the policy in memory. */
import { Effect } from "effect"
import type { HeadscaleApi, Node } from "../../src/control/Headscale/Api.ts"

export interface FakeHeadscale {
  readonly api: HeadscaleApi
  /** A node comes up with this key. */
  readonly enter: (authKey: string) => Node
  readonly nodes: ReadonlyArray<Node>
}

/** Ids are never used again, by whichever coordinator: tests share a database. */
let last = 0

export const fakeHeadscale = (): FakeHeadscale => {
  const tags = new Map<string, string>()
  let nodes: ReadonlyArray<Node> = []
  return {
    get nodes() { return nodes },
    enter: (authKey) => {
      const number = ++last
      const node: Node = {
        id: String(number), givenName: `node-${number}`, name: `node-${number}`, ipAddresses: [`100.64.0.${number}`],
        preAuthKey: { id: authKey.slice("key-".length) }, tags: [tags.get(authKey)!]
      }
      nodes = [...nodes, node]
      return node
    },
    api: {
      answers: Effect.void,
      createPreAuthKey: (tag, expiresAt) => Effect.sync(() => {
        const id = String(++last)
        tags.set(`key-${id}`, tag)
        return { id, key: `key-${id}`, expiration: expiresAt.toISOString() }
      }),
      nodes: Effect.sync(() => nodes),
      deleteNode: (id) => Effect.sync(() => { nodes = nodes.filter((node) => node.id !== id) }),
      setPolicy: () => Effect.void
    }
  }
}
