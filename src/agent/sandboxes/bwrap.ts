/**
 * The bubblewrap command line of a sandbox: the host's root read-only, everything of the owner, the agent, meshd and the
 * host's own data hidden, namespaces of its own for network, processes, IPC and host name, no capability, system calls
 * filtered, an environment that holds what is listed and nothing else. It starts held (descriptor 4) until the agent lets
 * the program go.
 */
import type { SandboxSpec } from "../../domain/Sandbox.ts"

/** Paths are those of the host, without symbolic links. */
export interface Jail {
  readonly name: string
  readonly spec: SandboxSpec
  /** Empty folders to write to. */
  readonly scratch: ReadonlyArray<string>
  /** Folders to hide under empty ones that cannot be written to. */
  readonly hidden: ReadonlyArray<string>
  /** Files to hide. */
  readonly masked: ReadonlyArray<string>
  /** Files of the host that the sandbox sees another version of. */
  readonly replaced: ReadonlyArray<{ readonly source: string; readonly target: string }>
  /** The system call filter, on disk. */
  readonly filter: string
}

export const uid = 1000
export const home = "/home/sandbox"

const folderBytes = 1024 ** 3
const devices = ["null", "zero", "full", "random", "urandom", "tty"]
const links = { fd: "/proc/self/fd", stdin: "/proc/self/fd/0", stdout: "/proc/self/fd/1", stderr: "/proc/self/fd/2" }

export const environmentOf = (name: string, spec: SandboxSpec): Readonly<Record<string, string>> => ({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: home, TERM: "dumb", GSTACKS_SANDBOX: name, ...spec.env
})

const scratchFolder = (path: string): ReadonlyArray<string> => ["--perms", "1777", "--size", String(folderBytes), "--tmpfs", path]
const emptyFolder = (path: string): ReadonlyArray<string> => ["--perms", "0755", "--tmpfs", path]

/** `/dev` is made by hand: bubblewrap's own needs a second user namespace, which nothing could enter later. */
const dev: ReadonlyArray<string> = [
  ...emptyFolder("/dev"),
  ...devices.flatMap((device) => ["--dev-bind", `/dev/${device}`, `/dev/${device}`]),
  ...Object.entries(links).flatMap(([name, target]) => ["--symlink", target, `/dev/${name}`]),
  ...scratchFolder("/dev/shm"), "--remount-ro", "/dev"
]

/**
 * Where the agent is root, the sandbox's user is root to the kernel's settings below /proc/sys, which ask for no capability:
 * a core_pattern would run as root on the host. Bubblewrap's own cover of them only works for a user with capabilities.
 */
const proc: ReadonlyArray<string> = ["--proc", "/proc", "--remount-ro", "/proc"]

/** Processors and memory, as language runtimes look them up; not the host's network cards, disks, keys and firmware. */
const sys: ReadonlyArray<string> = [...emptyFolder("/sys"), "--ro-bind-try", "/sys/devices/system", "/sys/devices/system", "--remount-ro", "/sys"]

/** The shell only opens descriptor 5, from where bubblewrap reads the filter. */
const withFilter = (filter: string): ReadonlyArray<string> => ["sh", "-c", 'exec "$@" 5<"$0"', filter]

export const bwrapCommand = ({ name, spec, scratch, hidden, masked, replaced, filter }: Jail): ReadonlyArray<string> => [
  ...withFilter(filter), "bwrap",
  "--unshare-user", "--uid", String(uid), "--gid", String(uid),
  "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", name,
  "--cap-drop", "ALL", "--die-with-parent", "--new-session",
  "--clearenv", ...Object.entries(environmentOf(name, spec)).flatMap(([key, value]) => ["--setenv", key, value]),
  "--ro-bind", "/", "/",
  ...masked.flatMap((path) => ["--ro-bind", "/dev/null", path]), // on a mount without devices: it cannot even be opened
  ...hidden.flatMap(emptyFolder),
  ...scratch.flatMap(scratchFolder),
  "--dir", home,
  ...dev, ...proc, ...sys,
  ...replaced.flatMap(({ source, target }) => ["--ro-bind", source, target]),
  ...spec.binds.flatMap(({ source, target, writable }) => [writable ? "--bind" : "--ro-bind", source, target]),
  ...hidden.filter((path) => !spec.binds.some(({ target }) => isWithin(path, target))).flatMap((path) => ["--remount-ro", path]),
  "--chdir", "/",
  "--json-status-fd", "3", "--block-fd", "4", "--seccomp", "5",
  "--", ...spec.command
]

/** Whether `path` is `folder` or lies in it. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`)

/** The outermost of the given folders, sorted. */
export const outermost = (folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(folders)].sort().filter((folder, _, all) => !all.some((other) => other !== folder && isWithin(folder, other)))
