/**
 * What a supervisor is told about a child: how to start it, when to start it again, how long it may
 * take to stop. `machineChild` and `supervisorChild` make specs; nothing runs until a supervisor
 * gets them.
 */
import type { AnyStateMachine, ContextFrom, EventFromLogic, EventObject, InputFrom } from "xstate"

/**
 * permanent: started again however it ends. transient: only after a crash. temporary: never, and
 * forgotten when it ends.
 */
export type Restart = "permanent" | "transient" | "temporary"

/** Who is restarted with a child: nobody, every sibling, or the siblings started after it. */
export type Strategy = "oneForOne" | "oneForAll" | "restForOne"

/** More restarts than this within the window and the supervisor gives up. `Infinity` never does. */
export interface Intensity {
  readonly restarts: number
  readonly withinMs: number
}

/** The wait before a restart doubles from `initialMs` to `maxMs`, and starts over once a child has run for `maxMs`. */
export interface Backoff {
  readonly initialMs: number
  readonly maxMs: number
}

/** When an actor is started again, and of a supervisor, how often it does that to its children before it gives up. */
export interface Upkeep {
  /** None: the root, which nobody starts again. */
  readonly restart?: Restart | undefined
  readonly intensity?: Intensity | undefined
  readonly backoff?: Backoff | undefined
}

interface Common {
  /** Unique below its supervisor; may contain "/". */
  readonly id: string
  readonly restart: Restart
  /** How long the child may take to stop, its stop event and the finalizers of its Effects included. */
  readonly shutdownMs: number
  /** When it ends for good by itself, its supervisor stops the siblings and ends too. */
  readonly significant: boolean
}

export interface MachineSpec extends Common {
  readonly kind: "machine"
  readonly logic: AnyStateMachine
  readonly input: unknown
  readonly allow: ReadonlyArray<string>
  readonly showOutput: boolean
  readonly stopEvent: EventObject | undefined
  readonly mailbox: number | undefined
  readonly hibernates: boolean
}

export interface SupervisorSpec extends Common {
  readonly kind: "supervisor"
  readonly strategy: Strategy
  readonly intensity: Intensity
  readonly backoff: Backoff | undefined
  readonly children: ReadonlyArray<ChildSpec>
}

export type ChildSpec = MachineSpec | SupervisorSpec

export interface ChildOptions {
  readonly id: string
  readonly restart: Restart
  readonly shutdownMs: number
  readonly significant?: boolean
}

type InputOption<L extends AnyStateMachine> = undefined extends InputFrom<L> ? { readonly input?: InputFrom<L> }
  : { readonly input: InputFrom<L> }

export type MachineOptions<L extends AnyStateMachine> = ChildOptions & InputOption<L> & {
  readonly logic: L
  /** The context keys that may be shown. Default: none. */
  readonly redact?: ReadonlyArray<keyof ContextFrom<L> & string>
  /** Whether the machine's output may be shown. Default: no. */
  readonly showOutput?: boolean
  /** Sent first at shutdown; the machine then has `shutdownMs` to reach a final state. */
  readonly stopEvent?: EventFromLogic<L>
  /** How many events may wait. Default: the system's, 1,024. */
  readonly mailbox?: number
  /** Kept small while it waits for nothing but an event. For machines of which there are thousands. Default: no. */
  readonly hibernates?: boolean
}

export const machineChild = <L extends AnyStateMachine>(options: MachineOptions<L>): MachineSpec => ({
  kind: "machine",
  id: options.id,
  restart: options.restart,
  shutdownMs: options.shutdownMs,
  significant: options.significant ?? false,
  logic: options.logic,
  input: options.input,
  allow: options.redact ?? [],
  showOutput: options.showOutput ?? false,
  stopEvent: options.stopEvent,
  mailbox: options.mailbox,
  hibernates: options.hibernates ?? false
})

export interface SupervisorOptions {
  readonly strategy: Strategy
  readonly intensity: Intensity
  readonly backoff?: Backoff
  readonly children: ReadonlyArray<ChildSpec>
}

export const supervisorChild = (options: ChildOptions & SupervisorOptions): SupervisorSpec => ({
  kind: "supervisor",
  id: options.id,
  restart: options.restart,
  shutdownMs: options.shutdownMs,
  significant: options.significant ?? false,
  strategy: options.strategy,
  intensity: options.intensity,
  backoff: options.backoff,
  children: options.children
})
