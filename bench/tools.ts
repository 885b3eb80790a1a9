/** What the measurements run: built or found here, with the words to install what is missing. */
import { execFileSync } from "node:child_process"
import { accessSync, constants, existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))
export const binaries = `${root}dist/bin`

const debianPackages = {
  haproxy: "haproxy", dnsmasq: "dnsmasq-base", dnsperf: "dnsperf", "wireguard-go": "wireguard-go", wg: "wireguard-tools", nft: "nftables", ip: "iproute2",
  sysctl: "procps", curl: "curl", ssh: "openssh-client", sshd: "openssh-server"
}

const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"]

const runnable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What stands in the way of measuring, one sentence each. */
export const missingTools = (product: boolean): ReadonlyArray<string> => {
  const packages = Object.entries(debianPackages).filter(([tool]) => !folders.some((f) => runnable(`${f}/${tool}`))).map(([, name]) => name)
  const ours = product ? ["meshd", "headscale"].filter((name) => !existsSync(`${binaries}/${name}`)) : []
  return [
    ...packages.length > 0 ? [`the rivals need Debian packages that are missing; install them: apt-get install ${packages.join(" ")}`] : [],
    ...ours.length > 0 ? [`${ours.join(" and ")} not built yet; run: scripts/setup`] : []
  ]
}

/** The load generator and today's wireguard-go. */
export const buildTools = (): void => {
  build("loadgen", "loadgen", ".")
  build("wireguard", "wireguard-go-current", "golang.zx2c4.com/wireguard")
}

const build = (folder: string, name: string, what: string): void => {
  execFileSync("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", `${binaries}/${name}`, what], {
    cwd: `${root}bench/${folder}`, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, CGO_ENABLED: "0" }
  })
}
