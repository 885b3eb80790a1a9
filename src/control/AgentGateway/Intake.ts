/**
 * What one connection of an agent may send: text frames, each one message of the protocol, the session's opening first, no call twice, and
 * neither more of them nor more unanswered ones than an honest agent comes near. The first frame that breaks this ends the connection.
 */
import type { RpcMessage } from "effect/rpc"

/** Largest message, in bytes: the tree of 40,000 actors, each with a long error. */
export const largestMessage = 32 << 20
/** Calls without an answer. An agent has as many as it joins networks at a time, reports sandboxes, and answers questions. */
export const mostUnanswered = 4096
/** Their characters together. */
const mostWaiting = 2 * largestMessage
/** Messages: so many at once, and so many a second after that. A restart with 1,000 networks takes some 5,000. */
export const burst = 20_000
const perSecond = 2_000
/** A long one counts as several: one for each piece of so many characters that it begins. All agents' messages are parsed in one thread. */
const countedAsOne = 4096

/** A WebSocket close code (RFC 6455, 7.4.1), and the reason that travels with it: at most 123 bytes. */
export interface Refusal { readonly code: number; readonly reason: string }
export const isRefusal = (taken: RpcMessage.FromClientEncoded | Refusal): taken is Refusal => "code" in taken

const notText = { code: 1003, reason: "a binary frame: messages are text" }
const notJson = { code: 1007, reason: "a frame that is not JSON" }
const against = (reason: string): Refusal => ({ code: 1008, reason })

export class Intake {
  readonly #unanswered = new Map<RpcMessage.RequestEncoded["id"], number>()
  #waiting = 0
  #hasAttached = false
  #allowance = burst
  #at: number

  constructor(now: number) { this.#at = now }

  /** `now`: milliseconds of any clock; one that is set back gives nothing. */
  take(frame: string | Uint8Array, now: number): RpcMessage.FromClientEncoded | Refusal {
    this.#allowance = Math.min(burst, this.#allowance + Math.max(0, now - this.#at) * perSecond / 1000) - Math.max(1, Math.ceil(frame.length / countedAsOne))
    this.#at = now
    if (this.#allowance < 0) return against(`more than ${perSecond} messages a second, of ${countedAsOne} characters each`)
    if (typeof frame !== "string") return notText
    const message = parsed(frame)
    if (message === undefined) return notJson
    if (!isMessage(message)) return against("what is no message of the protocol")
    return message._tag === "Request" ? this.#call(message, frame.length) : message
  }

  #call(call: RpcMessage.RequestEncoded, characters: number): RpcMessage.FromClientEncoded | Refusal {
    if ((call.tag === "Attach") === this.#hasAttached) return against(this.#hasAttached ? "a second Attach" : "a call before Attach")
    if (this.#unanswered.has(call.id)) return against("a call that is being answered, again")
    if (this.#unanswered.size >= mostUnanswered || this.#waiting + characters > mostWaiting) return against("more calls than can wait for their answers")
    this.#hasAttached = true
    this.#unanswered.set(call.id, characters)
    this.#waiting += characters
    return call
  }

  answered(id: RpcMessage.RequestEncoded["id"]): void {
    this.#waiting -= this.#unanswered.get(id) ?? 0
    this.#unanswered.delete(id)
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** No agent sends notifications or calls whose answers it discards: they would escape the count. */
const isMessage = (value: unknown): value is RpcMessage.FromClientEncoded => {
  if (typeof value !== "object" || value === null) return false
  const { _tag, discard, id, isNotification, requestId, tag } = value as Record<string, unknown>
  switch (_tag) {
    case "Ping": return true
    case "Ack":
    case "Interrupt": return isId(requestId)
    case "Request": return isId(id) && typeof tag === "string" && isNotification === undefined && discard === undefined
    default: return false
  }
}
const isId = (id: unknown): boolean => typeof id === "number" || (typeof id === "string" && id.length <= 64)
