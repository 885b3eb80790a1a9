/**
 * The bubblewrap command line of a sandbox: the host's root read-only, everything of the owner, the agent and meshd hidden
 * under empty folders, namespaces of its own for network, processes, IPC and host name, no capability, an environment that
 * holds what is listed and nothing else. It starts held (descriptor 4) until the agent lets the program go.
 */
import type { SandboxSpec } from "../../domain/Sandbox.ts"

export interface Jail {
  readonly name: string
  readonly spec: SandboxSpec
  /** Folders to hide, as they are on the host, outermost first. */
  readonly hidden: ReadonlyArray<string>
  /** Files of the host that the sandbox sees another version of. */
  readonly replaced: ReadonlyArray<{ readonly source: string; readonly target: string }>
}

/** What every host program expects to be able to write to. `/home/sandbox` is made below. */
export const alwaysHidden: ReadonlyArray<string> = ["/tmp", "/var/tmp", "/run", "/home", "/root"]
export const uid = 1000
export const home = "/home/sandbox"

const folderBytes = 1024 ** 3
const devices = ["null", "zero", "full", "random", "urandom", "tty"]
const links = { fd: "/proc/self/fd", stdin: "/proc/self/fd/0", stdout: "/proc/self/fd/1", stderr: "/proc/self/fd/2" }

export const environmentOf = (name: string, spec: SandboxSpec): Readonly<Record<string, string>> => ({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: home, TERM: "dumb", GSTACKS_SANDBOX: name, ...spec.env
})

const emptyFolder = (path: string): ReadonlyArray<string> => ["--perms", "1777", "--size", String(folderBytes), "--tmpfs", path]

/** `/dev` is made by hand: bubblewrap's own needs a second user namespace, which nothing could enter later. */
const dev: ReadonlyArray<string> = [
  "--perms", "0755", "--tmpfs", "/dev",
  ...devices.flatMap((device) => ["--dev-bind", `/dev/${device}`, `/dev/${device}`]),
  ...Object.entries(links).flatMap(([name, target]) => ["--symlink", target, `/dev/${name}`]),
  ...emptyFolder("/dev/shm"), "--remount-ro", "/dev"
]

export const bwrapCommand = ({ name, spec, hidden, replaced }: Jail): ReadonlyArray<string> => [
  "bwrap",
  "--unshare-user", "--uid", String(uid), "--gid", String(uid),
  "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", name,
  "--cap-drop", "ALL", "--die-with-parent", "--new-session",
  "--clearenv", ...Object.entries(environmentOf(name, spec)).flatMap(([key, value]) => ["--setenv", key, value]),
  "--ro-bind", "/", "/",
  ...hidden.flatMap(emptyFolder),
  "--dir", home,
  ...dev,
  "--proc", "/proc",
  ...replaced.flatMap(({ source, target }) => ["--ro-bind", source, target]),
  ...spec.binds.flatMap(({ source, target, writable }) => [writable ? "--bind" : "--ro-bind", source, target]),
  "--chdir", "/",
  "--json-status-fd", "3", "--block-fd", "4",
  "--", ...spec.command
]

/** Whether `path` is `folder` or lies in it. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`)

/** The outermost of the given folders, sorted. */
export const outermost = (folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(folders)].sort().filter((folder, _, all) => !all.some((other) => other !== folder && isWithin(folder, other)))
