/**
 * The system calls that a sandbox's programs cannot make, as the classic BPF program that the kernel and bubblewrap take
 * (seccomp(2), x86_64): what a program without capabilities needs only to attack the kernel, and what reaches around the
 * sandbox's namespaces, such as sockets to the hypervisor or keys in the kernel.
 */

/** Numbers of x86_64 (asm/unistd_64.h). ENOSYS makes libraries fall back, as on an older kernel. */
const absent = {
  clone3: 435, // its flags lie in memory, where no filter can look
  add_key: 248, request_key: 249, keyctl: 250, // the agent's session keyring is inherited
  io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427,
  bpf: 321, perf_event_open: 298, userfaultfd: 323,
  open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, mount_setattr: 442,
  kexec_load: 246, kexec_file_load: 320
}
const clone = 56, unshare = 272, socket = 41, ioctl = 16
const newUserNamespace = 0x1000_0000
/** Put characters into a terminal's input, and select on a console: TIOCSTI, TIOCLINUX. */
const terminalInput = [0x5412, 0x541c]
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. AF_VSOCK, above all, has no namespace: it would reach the hypervisor. */
const families = [1, 2, 10, 16]

const eperm = 1, enosys = 38, eafnosupport = 97
const x86_64 = 0xc000_003e, firstOfX32 = 0x4000_0000
const at = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index } // struct seccomp_data; low halves

type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, operand: number]
const load = (offset: number): Instruction => [0x20, 0, 0, offset]
const unless = { equal: 0x15, atLeast: 0x35, anyBit: 0x45 } as const
const allow: Instruction = [0x06, 0, 0, 0x7fff_0000]
const fail = (errno: number): Instruction => [0x06, 0, 0, 0x0005_0000 | errno]

/** Runs `then` when the test holds, else goes on behind it. */
const when = (test: keyof typeof unless, operand: number, then: ReadonlyArray<Instruction>): ReadonlyArray<Instruction> => [[unless[test], 0, then.length, operand], ...then]

/** With a call's argument loaded; the number is loaded again when nothing in `then` decided. */
const ofCall = (number: number, argument: number, then: ReadonlyArray<Instruction>): ReadonlyArray<Instruction> =>
  when("equal", number, [load(at.argument(argument)), ...then, load(at.number)])

const filter: ReadonlyArray<Instruction> = [
  load(at.architecture),
  [unless.equal, 1, 0, x86_64], fail(enosys), // 32-bit programs would have other numbers
  load(at.number),
  ...when("atLeast", firstOfX32, [fail(enosys)]),
  ...Object.values(absent).flatMap((number) => when("equal", number, [fail(enosys)])),
  ...[clone, unshare].flatMap((number) => ofCall(number, 0, when("anyBit", newUserNamespace, [fail(eperm)]))),
  ...ofCall(ioctl, 1, terminalInput.flatMap((request) => when("equal", request, [fail(eperm)]))),
  ...ofCall(socket, 0, [...families.flatMap((family) => when("equal", family, [allow])), fail(eafnosupport)]),
  allow
]

export const systemCallFilter = (): Uint8Array => {
  const bytes = Buffer.alloc(filter.length * 8)
  filter.forEach(([code, whenTrue, whenFalse, operand], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(whenTrue, index * 8 + 2)
    bytes.writeUInt8(whenFalse, index * 8 + 3)
    bytes.writeUInt32LE(operand, index * 8 + 4)
  })
  return bytes
}
