/** How a command gets namespaces of its own, and what is said where it cannot. */
import { assert, describe, it } from "@effect/vitest"
import { whyNoNamespaces } from "../../src/cli/LocalDaemon/userNamespace.ts"
import { wordsFor } from "../../src/cli/Namespaces.ts"

const place = { pid: 42, files: [{ source: "/run/gs/resolv.conf", target: "/etc/resolv.conf" }], empty: ["/run/nscd"] }

describe("namespaces of a command", () => {
  it("are made below the background process's, with its own resolver and no cache, without any capability", () => {
    const line = wordsFor(place, true, ["npm", "test", "--", "-x"]).join(" ")
    assert.match(line, /^nsenter --user=\/proc\/42\/ns\/user --preserve-credentials -- env /)
    assert.include(line, " --tmpfs /run/nscd --ro-bind /run/gs/resolv.conf /etc/resolv.conf ")
    assert.include(line, " --cap-drop ALL ")
    assert.match(line, / -- npm test -- -x$/)
    assert.notInclude(wordsFor(place, false, ["npm"]), "nsenter")
  })

  it("where the machine forbids them, the setting is named", () => {
    const said = (settings: Readonly<Record<string, string>>) => whyNoNamespaces((path) => settings[path] ?? "").command
    assert.strictEqual(said({ "/proc/sys/user/max_user_namespaces": "0" }), "sudo sysctl -w user.max_user_namespaces=15000")
    assert.strictEqual(said({ "/proc/sys/kernel/unprivileged_userns_clone": "0" }), "sudo sysctl -w kernel.unprivileged_userns_clone=1")
    assert.strictEqual(said({ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1" }), "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
    assert.match(said({ "/proc/sys/kernel/unprivileged_userns_clone": "1" }), /^try unshare --user/)
  })
})
