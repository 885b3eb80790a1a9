/**
 * The user namespace of the background process: in one of its own it may enter the network namespaces of `mesh exec`, with no privilege
 * on the machine. Where that is not possible it runs without, and everything but `mesh exec` works.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

const read = (path: string): string => { try { return readFileSync(path, "utf8").trim() } catch { return "" } }

const sysAdmin = 1n << 21n
const isAdministrator = (): boolean => (BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(read("/proc/self/status"))?.[1] ?? "0"}`) & sysAdmin) !== 0n

const ownNamespace = ["unshare", "--user", "--map-current-user", "--keep-caps", "--"]
const tryPatienceMs = 5_000

/** Words to put before a program, so that it may make network namespaces and enter them; none when it may anyway, or cannot. */
export const withNamespaces = (): ReadonlyArray<string> => {
  if (isAdministrator()) return []
  const [file, ...args] = [...ownNamespace, "unshare", "--net", "--", "true"]
  return spawnSync(file!, args, { stdio: "ignore", timeout: tryPatienceMs }).status === 0 ? ownNamespace : []
}

/** Why not, and what the machine's administrator can do about it. */
export const whyNoNamespaces = (setting: (path: string) => string = read): { readonly reason: string; readonly command: string } => {
  const off = [
    { path: "/proc/sys/user/max_user_namespaces", value: "0", name: "user.max_user_namespaces", to: "15000" },
    { path: "/proc/sys/kernel/unprivileged_userns_clone", value: "0", name: "kernel.unprivileged_userns_clone", to: "1" },
    { path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", value: "1", name: "kernel.apparmor_restrict_unprivileged_userns", to: "0" }
  ].find(({ path, value }) => setting(path) === value)
  return off === undefined
    ? { reason: "this machine forbids user namespaces, or unshare (util-linux 2.36 or newer) is missing", command: "try unshare --user --map-current-user --keep-caps unshare --net true" }
    : { reason: `this machine forbids user namespaces (${off.name} is ${off.value})`, command: `sudo sysctl -w ${off.name}=${off.to}` }
}
