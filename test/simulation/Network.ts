/**
 * The network between agents and the control plane: WebSockets whose frames take time. TCP's promises hold (in order, once, or the
 * connection breaks); what fails is what fails there: a connection is reset, or one direction of it goes dead without a word, a
 * host is cut off so that frames wait, latency grows so that frames of an older connection arrive after a newer one was opened.
 */
import type { Socket } from "effect/socket"
import type { Journal } from "./Journal.ts"
import type { Draw } from "./random.ts"
import type { Time } from "./Time.ts"

type EventName = "open" | "message" | "error" | "close"
type Listener = (event: Socket.WebSocketEvent) => void

/** What one host's way to the control plane is like. */
export class Weather {
  latencyMs = 2
  jitterMs = 3
  /** Of each frame: that its direction of the connection is dead from then on. */
  deafness = 0
  isCutOff = false
}

export interface Upgrade { readonly headers: Readonly<Record<string, string>>; readonly socket: () => End; readonly refuse: (status: number) => void }
type Listening = (upgrade: Upgrade) => void

/** One end of a WebSocket. */
export class End implements Socket.WebSocketLike {
  readyState = 0
  readonly label: string
  readonly #listeners: Record<EventName, Set<{ readonly listener: Listener; readonly once: boolean }>> = { open: new Set(), message: new Set(), error: new Set(), close: new Set() }
  onSend: (data: string | Uint8Array) => void = () => {}
  onClose: () => void = () => {}

  constructor(label: string) { this.label = label }

  addEventListener(type: EventName, listener: Listener, options?: { readonly once?: boolean }): void {
    this.#listeners[type].add({ listener, once: options?.once ?? false })
  }
  removeEventListener(type: EventName, listener: Listener): void {
    for (const entry of this.#listeners[type]) if (entry.listener === listener) this.#listeners[type].delete(entry)
  }
  send(data: string | Uint8Array): void { if (this.readyState === 1) this.onSend(data) }
  close(): void {
    if (this.readyState >= 2) return
    this.end(1000)
    this.onClose()
  }

  emit(type: EventName, event: Socket.WebSocketEvent): void {
    for (const entry of this.#listeners[type]) {
      if (entry.once) this.#listeners[type].delete(entry)
      entry.listener({ type, ...event })
    }
  }
  opened(): void {
    if (this.readyState !== 0) return
    this.readyState = 1
    this.emit("open", {})
  }
  failed(message: string): void {
    if (this.readyState >= 2) return
    this.readyState = 3
    this.emit("error", { message, error: new Error(message) } as Socket.WebSocketEvent)
  }
  end(code: number): void {
    if (this.readyState >= 2) return
    this.readyState = 3
    this.emit("close", { code, reason: "" })
  }
}

/** One direction of a connection. */
interface Lane { arrivesAfter: number; isDead: boolean; readonly waiting: Array<() => void> }
interface Connection {
  readonly id: number
  readonly host: string
  readonly client: End
  readonly server: End
  readonly up: Lane
  readonly down: Lane
  /** Of each frame on the way: what loses it. */
  readonly onTheWay: Set<() => void>
}
const newLane = (): Lane => ({ arrivesAfter: 0, isDead: false, waiting: [] })

export class Network {
  readonly #time: Time
  readonly #journal: Journal
  readonly #draw: Draw
  readonly #weather = new Map<string, Weather>()
  readonly #connections = new Set<Connection>()
  #listening: Listening | undefined
  #lastId = 0

  readonly #letIn: (host: string) => void

  constructor(time: Time, journal: Journal, draw: Draw, letIn: (host: string) => void) {
    this.#letIn = letIn
    this.#time = time
    this.#journal = journal
    this.#draw = draw
  }

  weather(host: string): Weather {
    const known = this.#weather.get(host) ?? new Weather()
    this.#weather.set(host, known)
    return known
  }
  get openConnections(): number { return this.#connections.size }

  listen(listening: Listening): void { this.#listening = listening }
  /** The control plane's process is gone, and its connections with it. */
  unlisten(): void {
    this.#listening = undefined
    for (const connection of this.#connections) this.#end(connection, connection.server)
  }

  /** Both ends find the connection broken. */
  reset(host: string): void {
    for (const connection of this.#connections) {
      if (connection.host !== host) continue
      connection.client.end(1006)
      connection.server.end(1006)
      this.#forget(connection)
    }
  }
  heal(host: string): void {
    this.weather(host).isCutOff = false
    for (const { host: of, up, down } of this.#connections) if (of === host) for (const lane of [up, down]) for (const go of lane.waiting.splice(0)) go()
  }

  /** A host is gone without a word. */
  vanish(host: string): void {
    for (const { host: of, up, down } of this.#connections) if (of === host) up.isDead = down.isDead = true
  }

  /** The agent's process of a host is gone. */
  drop(host: string): void {
    for (const connection of this.#connections) if (connection.host === host) this.#end(connection, connection.client)
  }

  dial(host: string, headers: Readonly<Record<string, string>>): End {
    const id = ++this.#lastId
    const client = new End(`${host}#${id}`), server = new End(`control#${id}`)
    const connection: Connection = { id, host, client, server, up: newLane(), down: newLane(), onTheWay: new Set() }
    this.#connections.add(connection)
    client.onSend = (data) => this.#carry(connection, connection.up, server, data)
    server.onSend = (data) => this.#carry(connection, connection.down, client, data)
    client.onClose = () => this.#end(connection, client)
    server.onClose = () => this.#end(connection, server)
    this.#send(connection, connection.up, () => {
      if (client.readyState !== 0) return
      const answer = (act: () => void) => this.#send(connection, connection.down, act)
      const fail = (message: string) => answer(() => {
        client.failed(message)
        this.#forget(connection)
      })
      if (this.#listening === undefined) return fail("connect ECONNREFUSED")
      this.#listening({
        headers,
        socket: () => {
          server.readyState = 1
          this.#journal.note(host, `connected #${id}`)
          this.#letIn(host)
          answer(() => client.opened())
          return server
        },
        refuse: (status) => fail(`Unexpected server response: ${status}`)
      })
    })
    return client
  }

  #carry(connection: Connection, lane: Lane, to: End, data: string | Uint8Array): void {
    const { deafness } = this.weather(connection.host)
    if (!lane.isDead && deafness > 0 && this.#draw.chance(deafness)) {
      lane.isDead = true
      this.#journal.note(connection.host, `#${connection.id} goes deaf towards ${to.label}`)
    }
    if (lane.isDead) return
    this.#send(connection, lane, () => {
      this.#journal.note("net", `> ${to.label} ${kindOf(data)}`)
      if (to.readyState === 1) to.emit("message", { data })
    })
  }

  /** In order, after the weather's time; while the host is cut off it waits. */
  #send(connection: Connection, lane: Lane, arrive: () => void): void {
    if (!this.#connections.has(connection)) return
    const weather = this.weather(connection.host)
    const go = () => {
      const at = Math.max(lane.arrivesAfter, this.#time.now + weather.latencyMs + this.#draw.below(weather.jitterMs + 1))
      lane.arrivesAfter = at
      const lose = this.#time.after(at - this.#time.now, () => {
        connection.onTheWay.delete(lose)
        if (weather.isCutOff) lane.waiting.push(arrive)
        else arrive()
      })
      connection.onTheWay.add(lose)
    }
    if (weather.isCutOff) lane.waiting.push(go)
    else go()
  }

  /** One end has closed: the other hears of it, if anything is heard. */
  #end(connection: Connection, from: End): void {
    from.end(1006)
    const [to, lane] = from === connection.client ? [connection.server, connection.up] : [connection.client, connection.down]
    if (to.readyState >= 2) return this.#forget(connection)
    if (lane.isDead) return
    this.#send(connection, lane, () => {
      if (to.readyState === 0) to.failed("socket hang up")
      else to.end(1006)
      this.#forget(connection)
    })
  }

  /** Both ends are closed: nobody is left to take what is still on the way. */
  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    for (const lose of connection.onTheWay) lose()
    connection.onTheWay.clear()
  }
}

/** What a frame is about; its ids count on from run to run. */
const kindOf = (data: string | Uint8Array): string => {
  const start = typeof data === "string" ? data.slice(0, 400) : ""
  return [/"_tag":"(\w+)"/.exec(start)?.[1], /"tag":"(\w+)"/.exec(start)?.[1]].filter((word) => word !== undefined).join(" ")
}
