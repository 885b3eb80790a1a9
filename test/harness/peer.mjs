// The program that sandboxes run in end-to-end tests: it does network things on request and says exactly what the kernel
// answered. Requests and events are JSON lines on a Unix socket in a folder that is bound into the sandbox, so the
// test drives it without the product's help. Usage: node peer.mjs <folder> <name>
import { createHash } from "node:crypto"
import dgram from "node:dgram"
import dns from "node:dns/promises"
import fs from "node:fs"
import net from "node:net"

const [folder, name] = process.argv.slice(2)
const listeners = new Map()
const streams = new Map()
/** By port: what came after the end. */
const took = new Map()

/** Deterministic bytes, so that both ends can hash what ought to have arrived. */
const block = Buffer.alloc(1 << 20)
for (let i = 0; i < block.length; i++) block[i] = (i * 2654435761) >>> 24

/** With `pauseMs`, that long after each block. */
const send = (socket, bytes, done, pauseMs = 0) => {
  let left = bytes
  const hash = createHash("sha256")
  const more = () => {
    while (left > 0) {
      const part = left >= block.length ? block : block.subarray(0, left)
      left -= part.length
      hash.update(part)
      const goOn = socket.write(part)
      if (!goOn) return void socket.once("drain", pauseMs > 0 && left > 0 ? () => setTimeout(more, pauseMs) : more)
    }
    done(hash.digest("hex"))
  }
  more()
}

const receive = (socket, done) => {
  const hash = createHash("sha256")
  let bytes = 0
  socket.on("data", (chunk) => { bytes += chunk.length; hash.update(chunk) })
  socket.on("end", () => done({ bytes, sha256: hash.digest("hex"), end: "fin" }))
  socket.on("error", (e) => done({ bytes, sha256: hash.digest("hex"), end: e.code }))
}

const asked = (socket, line) => {
  const { bytes, pauseMs } = JSON.parse(String(line))
  send(socket, bytes, () => socket.end(), pauseMs)
}

/** What a listener does with each connection. Every one but `stall` and `sink` greets with its name and port first. */
const behaviours = {
  echo: (s) => s.pipe(s),
  hello: (s) => s.end(),
  stall: (s) => s.pause(),
  /** Counts until the other side ends, answers with the digest, then ends: needs half-close. */
  sink: (s) => receive(s, (r) => { if (!s.destroyed) s.end(JSON.stringify(r)) }),
  /** Sends as many bytes as the first line asks for, with that pause after each MiB, and keeps reading. */
  source: (s) => s.once("data", (line) => asked(s, line)),
  /** As `source`, but reads no more than the first line. */
  deaf: (s) => s.once("data", (line) => { s.pause(); asked(s, line) }),
  /** Ends, and goes on to read. */
  endsFirst: (s) => {
    s.end()
    s.on("data", (text) => took.set(s.localPort, (took.get(s.localPort) ?? "") + text))
  },
  /** Echoes until it is told to reset. */
  reset: (s) => s.on("data", (text) => String(text).includes("reset") ? s.resetAndDestroy() : s.write(text))
}

const commands = {
  listen: ({ port, behaviour = "echo", host = "0.0.0.0", backlog = 1024 }) => new Promise((ok, fail) => {
    const server = net.createServer({ allowHalfOpen: true }, (s) => {
      s.on("error", () => {})
      if (!["stall", "sink", "source", "deaf"].includes(behaviour)) s.write(`${name}:${port}\n`)
      behaviours[behaviour](s)
    })
    server.once("error", fail)
    server.listen({ port, host, backlog }, () => { listeners.set(port, server); ok({}) })
  }),
  /** Hangs for good, once this is answered: the kernel goes on to take connections for it, as many as its listeners let wait. */
  hang: () => { setTimeout(() => process.kill(process.pid, "SIGSTOP"), 20); return {} },
  /** Killed, as its kernel does it when it has no memory left; nothing answers. */
  die: () => process.kill(process.pid, "SIGKILL"),
  took: ({ port }) => ({ text: took.get(port) ?? "" }),
  unlisten: ({ port }) => new Promise((ok) => {
    const server = listeners.get(port)
    listeners.delete(port)
    if (server === undefined) ok({})
    else server.close(() => ok({}))
  }),
  /** One connection attempt: `open` with the first bytes that came, or the error's code. */
  probe: ({ host, port, timeoutMs = 3000, greeting = true }) => new Promise((ok) => {
    const started = process.hrtime.bigint()
    const ms = () => Number(process.hrtime.bigint() - started) / 1e6
    let connected
    const s = net.connect({ host, port, autoSelectFamily: false })
    const finish = (result, text) => { clearTimeout(timer); s.removeAllListeners(); s.on("error", () => {}); s.destroy(); ok({ result, text, connectedMs: connected, ms: ms() }) }
    const timer = setTimeout(() => finish(connected === undefined ? "TIMEOUT" : "SILENT"), timeoutMs)
    s.on("connect", () => { connected = ms(); if (!greeting) finish("open") })
    s.on("data", (d) => finish("open", String(d).trim()))
    s.on("end", () => finish("EOF"))
    s.on("error", (e) => finish(e.code))
  }),
  /** A stream that stays: events `data`, `end`, `error`, `close` follow under its id. */
  open: ({ id, host, port }) => new Promise((ok, fail) => {
    const s = net.connect({ host, port, allowHalfOpen: true, autoSelectFamily: false })
    streams.set(id, s)
    s.once("connect", () => ok({}))
    s.once("error", fail)
    s.on("data", (d) => emit({ stream: id, event: "data", text: String(d) }))
    s.on("end", () => emit({ stream: id, event: "end" }))
    s.on("error", (e) => emit({ stream: id, event: "error", code: e.code }))
    s.on("close", () => { streams.delete(id); emit({ stream: id, event: "close" }) })
  }),
  write: ({ id, text }) => { streams.get(id).write(text); return {} },
  end: ({ id }) => { streams.get(id).end(); return {} },
  reset: ({ id }) => { streams.get(id).resetAndDestroy(); return {} },
  pause: ({ id }) => { streams.get(id).pause(); return {} },
  /** Uploads bytes to a `sink` and returns both digests. */
  upload: ({ host, port, bytes, pauseMs }) => new Promise((ok) => {
    const s = net.connect({ host, port, allowHalfOpen: true, autoSelectFamily: false })
    let sent
    let reply = ""
    s.on("connect", () => send(s, bytes, (sha256) => { sent = sha256; s.end() }, pauseMs))
    s.on("data", (d) => { reply += d })
    s.on("end", () => ok({ sent, received: JSON.parse(reply || "null") }))
    s.on("error", (e) => ok({ sent, error: e.code }))
  }),
  /** Downloads bytes from a `source`; `expected` is the digest of what ought to have come before its end. With `more`, that many bytes are said after the first have come. */
  download: ({ host, port, bytes, more = 0, pauseMs = 0 }) => new Promise((ok) => {
    const s = net.connect({ host, port, allowHalfOpen: true, autoSelectFamily: false })
    s.on("connect", () => s.write(JSON.stringify({ bytes, pauseMs })))
    if (more > 0) s.once("data", () => s.write(Buffer.alloc(more)))
    receive(s, (r) => {
      s.end()
      const hash = createHash("sha256")
      for (let left = r.bytes; left > 0; left -= block.length) hash.update(left >= block.length ? block : block.subarray(0, left))
      ok({ expected: hash.digest("hex"), received: r })
    })
  }),
  lookup: ({ host }) => dns.lookup(host, { all: true, family: 4 }).then((a) => ({ addresses: a.map((x) => x.address) }), (e) => ({ code: e.code })),
  /** Raw DNS message over UDP to the resolver. */
  query: ({ hex, address = "127.64.0.53", timeoutMs = 1000 }) => new Promise((ok) => {
    const socket = dgram.createSocket("udp4")
    const finish = (r) => { clearTimeout(timer); socket.close(); ok(r) }
    const timer = setTimeout(() => finish({ code: "TIMEOUT" }), timeoutMs)
    socket.on("message", (m) => finish({ hex: m.toString("hex") }))
    socket.on("error", (e) => finish({ code: e.code }))
    socket.connect(53, address, () => socket.send(Buffer.from(hex, "hex")))
  }),
  read: ({ path }) => { try { return { text: fs.readFileSync(path, "utf8") } } catch (e) { return { code: e.code } } },
  list: ({ path }) => { try { return { names: fs.readdirSync(path) } } catch (e) { return { code: e.code } } },
  unix: ({ path }) => new Promise((ok) => {
    const s = net.connect(path)
    s.on("connect", () => { s.destroy(); ok({ result: "open" }) })
    s.on("error", (e) => ok({ result: e.code }))
  })
}

let driver
const emit = (message) => driver?.write(JSON.stringify(message) + "\n")

const path = `${folder}/${name}.sock`
fs.rmSync(path, { force: true })
net.createServer((s) => {
  driver = s
  let text = ""
  s.on("error", () => {})
  s.on("data", async (chunk) => {
    text += chunk
    for (let end; (end = text.indexOf("\n")) >= 0;) {
      const { id, command, ...args } = JSON.parse(text.slice(0, end))
      text = text.slice(end + 1)
      Promise.resolve().then(() => commands[command](args.args)).then(
        (result) => s.write(JSON.stringify({ id, result }) + "\n"), (e) => s.write(JSON.stringify({ id, error: e.code ?? String(e) }) + "\n"))
    }
  })
}).listen(path, () => console.log("ready"))
