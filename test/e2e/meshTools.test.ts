/** Real programs through forwards: curl, psql, redis-cli, git over ssh, iperf3, each speaking to its real server in a sandbox; beside the cluster, behind a NAT, and with UDP blocked. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Laptop, type User } from "../harness/Laptop.ts"
import { eventually, Fixture } from "./fixture.ts"

const ports = { http: 8000, iperf3: 5201, postgres: 5432, redis: 6379, ssh: 2222 }

const servers = `cd ~ && mkdir -m 700 pg .ssh && printf '%s\\n' "$KEY" >.ssh/authorized_keys && git init -q --bare repo.git
dropbearkey -t ed25519 -f host.key && dropbear -F -E -s -r host.key -P dropbear.pid -p 127.0.0.1:${ports.ssh} &
redis-server --bind 127.0.0.1 --port ${ports.redis} --save '' &
python3 -m http.server ${ports.http} --bind 127.0.0.1 &
iperf3 -s -B 127.0.0.1 -p ${ports.iperf3} &
cd /usr/lib/postgresql/*/bin && ./initdb -A trust -U dev -D ~/pg && exec ./postgres -D ~/pg -k /tmp -h 127.0.0.1 -p ${ports.postgres}`

/** OpenSSH runs only for a user who has a name on this machine, as root has everywhere. (Dropbear's own client hangs now and then when a clone has ended, without any network between the two as well.) */
const asNamedUser = "unshare --map-root-user"

describe("real programs through forwards", () => {
  let fixture: Fixture, laptop: Laptop, ann: User

  const sh = async (line: string) => {
    const result = await ann.sh(`cd ${ann.folder} && ${line}`)
    assert.strictEqual(result.code, 0, `${line}\n${result.stdout}\n${result.stderr}`)
    return result.stdout.trim()
  }
  const serves = (what: string, line: string) => eventually(`${what} answers`, async () => (await ann.sh(`cd ${ann.folder} && ${line}`)).code === 0, 90_000)

  beforeAll(async () => {
    fixture = await Fixture.start(1)
    laptop = await Laptop.start(fixture.cluster)
    ann = laptop.as("ann", await fixture.userToken("ann"))
    const key = await sh(`${asNamedUser} ssh-keygen -q -t ed25519 -N "" -f key && cat key.pub`)
    const started = await fixture.cluster.gstacks("sandbox", "run", "tools", "--env", `KEY=${key}`, "--", "sh", "-c", servers)
    assert.strictEqual(started.code, 0, started.stderr)
    await fixture.network("dev")
    await fixture.attach("dev", "tools", "tools", Object.values(ports))
    for (const port of Object.values(ports)) await fixture.allow("dev", "local:ann", "tools", port)
    await sh("gstacks mesh join dev")
    await sh("gstacks mesh forward dev --all --background")
    await sh(`gstacks mesh forward dev tools:${ports.postgres} --local unix:${ann.folder}/.s.PGSQL.${ports.postgres} --background`)
  }, 180_000)
  afterAll(async () => {
    await fixture?.stop()
    laptop?.remove()
  }, 60_000)

  const way = async () => (await ann.status()).networks[0].agents[0]?.path

  describe.each([
    { place: "beside", path: "direct", enter: async () => undefined },
    { place: "behind-a-nat", path: "direct", enter: () => laptop.carryHome() },
    { place: "udp-blocked", path: "relayed", enter: () => laptop.blockUdp() }
  ])("$place, $path", ({ place, path, enter }) => {
    beforeAll(async () => {
      await enter()
      await serves("the web server", `curl -sf -m 10 http://127.0.0.1:${ports.http}/`)
    }, 120_000)
    /** That this was the way, seen while programs used it. */
    afterEach(() => eventually(`the way is ${path}`, async () => await way() === path, 90_000), 120_000)

    it("curl", async () => {
      assert.include(await sh(`curl -sf http://127.0.0.1:${ports.http}/`), "repo.git")
    }, 180_000)

    it("psql, over a port and over a Unix socket", async () => {
      const query = "psql -U dev -d postgres -At"
      await serves("PostgreSQL", `${query} -h 127.0.0.1 -c 'select 1'`)
      await sh(`${query} -h 127.0.0.1 -c "create table \\"${place}\\" as select n, repeat('x', 100) from generate_series(1, 100000) n"`)
      assert.strictEqual(await sh(`${query} -h ${ann.folder} -c 'copy "${place}" to stdout' | wc -l`), "100000")
    }, 180_000)

    it("redis-cli and 50 clients at once", async () => {
      await serves("Redis", "redis-cli ping")
      assert.strictEqual(await sh(`redis-cli set greeting ${place} && redis-cli get greeting`), `OK\n${place}`)
      assert.include(await sh("redis-benchmark -q -t set -n 5000 -c 50"), "requests per second")
      await eventually("its clients have gone", async () => (await sh("redis-cli info clients")).includes("connected_clients:1\r"), 60_000)
    }, 180_000)

    it("git over ssh, there and back", async () => {
      const ssh = `export GIT_SSH_VARIANT=ssh GIT_SSH_COMMAND='${asNamedUser} ssh -F none -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=${ann.folder}/known-hosts -p ${ports.ssh} -i ${ann.folder}/key'`
      const url = "sandbox@127.0.0.1:repo.git", mine = `mine-${place}`, theirs = `theirs-${place}`
      await serves("ssh", `${ssh} && git ls-remote ${url}`)
      await sh(`${ssh} && git init -q -b ${place} ${mine} && cd ${mine} && head -c 8388608 /dev/urandom >file && git add file && git -c user.name=ann -c user.email=ann@localhost commit -qm one && git push -q ${url} ${place}`)
      await sh(`${ssh} && git clone -q -b ${place} ${url} ${theirs} && cmp ${mine}/file ${theirs}/file`)
    }, 180_000)

    it("iperf3, both ways, four streams", async () => {
      for (const direction of ["", "--reverse"]) {
        const { end } = JSON.parse(await sh(`iperf3 -c 127.0.0.1 -p ${ports.iperf3} -t 1 -P 4 ${direction} --json`))
        assert.isAbove(end.sum_received.bytes, 1 << 20)
      }
    }, 180_000)
  })
})
