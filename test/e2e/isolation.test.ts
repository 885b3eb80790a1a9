/** What a sandbox must not reach or learn: other networks, the host, agent and meshd, the bridge, privileges. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import packet from "dns-packet"
import { join } from "node:path"
import type { Peer } from "../harness/Peer.ts"
import { rootHome } from "../harness/rootHome.ts"
import { eventually, Fixture } from "./fixture.ts"

describe("isolation", () => {
  let fixture: Fixture
  let inside: Peer
  let other: Peer
  let address: string

  beforeAll(async () => {
    fixture = await Fixture.start(2)
    inside = await fixture.sandbox("inside", "host-1")
    other = await fixture.sandbox("other", "host-1")
    await other.listen(8080)
    for (const network of ["mine", "theirs"]) await fixture.network(network)
    await fixture.attach("mine", "inside", "me", [8080])
    const attached = await fixture.attach("theirs", "other", "secret", [8080])
    assert.deepStrictEqual(attached.aliases, ["secret"])
    await fixture.allow("theirs", "any", "secret", 8080)
    address = (await fixture.api("GET", "/networks/theirs/resolve/secret")).body.address
    await fixture.reachable(other, "secret.theirs.gstacks", 8080)
  }, 120_000)
  afterAll(() => fixture?.stop(), 60_000)

  const ask = async (peer: Peer, name: string, type: packet.RecordType = "A") => {
    const { hex, code } = await peer.query(packet.encode({ type: "query", id: 7, flags: packet.RECURSION_DESIRED, questions: [{ name, type }] }).toString("hex"))
    if (hex === undefined) throw new Error(`${name}: ${code}`)
    return packet.decode(Buffer.from(hex, "hex")) as packet.DecodedPacket & { readonly rcode: string }
  }

  it("a name of a network it is not attached to answers exactly as a name that does not exist", async () => {
    const strip = (answer: packet.DecodedPacket) => JSON.stringify({ ...answer, questions: [] })
    const foreign = await ask(inside, "secret.theirs.gstacks")
    assert.strictEqual(foreign.rcode, "NXDOMAIN")
    assert.strictEqual(strip(foreign), strip(await ask(inside, "secret.nowhere.gstacks")))
    assert.strictEqual((await ask(inside, "theirs.gstacks")).rcode, "NXDOMAIN")
    assert.strictEqual((await ask(inside, `${address.split(".").reverse().join(".")}.in-addr.arpa`, "PTR")).rcode, "NXDOMAIN")
    assert.strictEqual((await ask(inside, "example.com")).rcode, "REFUSED")
  })

  it("names of its own network resolve, allowed or not, with NODATA for other types", async () => {
    const own = await ask(inside, "Me.mINe.gstacks")
    assert.strictEqual(own.answers?.length, 1)
    assert.strictEqual(own.questions?.[0]?.name, "Me.mINe.gstacks")
    const aaaa = await ask(inside, "me.mine.gstacks", "AAAA")
    assert.deepStrictEqual([aaaa.rcode, aaaa.answers?.length, aaaa.authorities?.[0]?.type], ["NOERROR", 0, "SOA"])
  })

  it("an address of a network it is not attached to is refused, its own alias too without a rule", async () => {
    assert.strictEqual((await inside.probe(address, 8080)).result, "ECONNREFUSED")
    assert.strictEqual((await inside.probe("me.mine.gstacks", 8080)).result, "ECONNREFUSED")
  })

  it("host loopback, bridge, mesh addresses and the outside are out of reach", async () => {
    for (const [host, port] of [["127.0.0.1", 1053], ["127.0.0.1", 7070], ["10.99.0.1", 7070], ["10.99.0.1", 8080], ["10.99.0.11", 22], ["100.64.0.1", 7000], ["169.254.169.254", 80], ["192.0.2.1", 80]] as const) {
      const probe = await inside.probe(host, port, { timeoutMs: 1000 })
      assert.include(["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"], probe.result, `${host}:${port}`)
    }
  })

  it("sees no socket, state or credential of agent, meshd or control", async () => {
    for (const path of fixture.cluster.privatePaths) {
      const found = await inside.unix(path)
      assert.include(["ENOENT", "EACCES", "ENOTDIR"], found.result, path)
      assert.isDefined((await inside.read(path)).code, path)
    }
    assert.isAbove(fixture.cluster.privatePaths.length, 3)
    const names = (await inside.list("/run")).names ?? []
    assert.deepStrictEqual([...names].sort(), [...names].filter((n) => ["out", "peer"].includes(n) || n === "systemd" || n === "resolvconf").sort())
  })

  it("holds no capability, and neither does what exec starts", async () => {
    const caps = (text: string): ReadonlyArray<string> => text.split("\n").filter((l) => /^Cap(Eff|Prm|Inh|Amb)|^NoNewPrivs/.test(l)).map((l) => l.replace(/\s+/g, " "))
    const expected = ["CapInh: 0000000000000000", "CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 1"]
    assert.deepStrictEqual([...caps((await inside.read("/proc/self/status")).text!)].sort(), [...expected].sort())
    const exec = await fixture.cluster.gstacks("sandbox", "exec", "inside", "--", "cat", "/proc/self/status")
    assert.strictEqual(exec.code, 0, exec.stderr)
    assert.deepStrictEqual([...caps(exec.stdout)].sort(), [...expected].sort())
  })

  it("sees only its own processes", async () => {
    const names = (await inside.list("/proc")).names!.filter((n) => /^\d+$/.test(n))
    assert.isBelow(names.length, 8)
  })

  it("reads nothing that only some on the host may, whoever runs the cluster", async () => {
    const paths = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private", join(rootHome, ".bashrc"), "/var/lib/dpkg/status", "/var/log/dpkg.log", "/sys/class/net", "/sys/kernel", "/proc/kcore"]
    for (const path of paths) assert.isTrue((await inside.read(path)).code !== undefined && ((await inside.list(path)).names ?? []).length === 0, path)
    assert.isUndefined((await inside.read("/etc/passwd")).code)
  })

  /** In a shell of its own that the sandbox starts; `exec` is another way in. */
  const attacks = `for i in 1; do
    find /proc/sys /proc/irq /proc/bus /sys -type f -writable 2>/dev/null | head -3
    cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness && echo sysctl
    for path in / /proc /sys /usr /etc /var/lib; do mount -o remount,rw $path && echo remounted $path; umount -l $path && echo unmounted $path; done
    for path in /root /run /tmp; do umount -l $path && echo uncovered $path; done
    nft flush ruleset && echo flushed; ip link add x type dummy && echo added; ip netns add x && echo netns
    mknod /tmp/disk b 254 0 && echo mknod; chroot / true && echo chroot; dmesg | head -1
    kill -0 -1 2>/dev/null; for pid in /proc/[0-9]*; do [ "$(readlink $pid/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] || echo foreign $pid; done
  done 2>/dev/null; echo over`

  it.each([["the sandbox's program"], ["exec"]])("%s changes no kernel setting, mount, rule, device or process of others", async (who) => {
    const said = who === "exec"
      ? (await fixture.cluster.gstacks("sandbox", "exec", "inside", "--", "sh", "-c", attacks)).stdout
      : await (async () => {
        const run = await fixture.api("POST", "/sandboxes", { name: "attacker", agent: "host-1", labels: {}, replace: true, spec: { command: ["sh", "-c", attacks], env: {}, binds: [] } })
        assert.strictEqual(run.status, 201, JSON.stringify(run.body))
        await eventually("it has ended", async () => (await fixture.api("GET", "/sandboxes/attacker")).body.exitCode !== null, 20_000)
        return (await fixture.api("GET", "/sandboxes/attacker/logs")).body.text as string
      })()
    assert.strictEqual(said, "over\n")
  })

  it("refuses binds of the kernel's folders and of the cluster's own state", async () => {
    for (const [source, target] of [["/proc", "/mnt/x"], ["/sys", "/mnt/x"], ["/dev", "/mnt/x"], ["/", "/mnt/x"], ["/usr", "/proc"], ["/usr", "/dev/x"], ["/usr", "/"], [fixture.cluster.privatePaths[0]!, "/mnt/x"]]) {
      const answer = await fixture.api("POST", "/sandboxes", { name: "greedy", agent: "host-1", labels: {}, replace: true, spec: { command: ["true"], env: {}, binds: [{ source, target, writable: true }] } })
      assert.isAtLeast(answer.status, 400, `${source} at ${target}`)
    }
  })
})
