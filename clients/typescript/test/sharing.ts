import { afterEach, beforeEach, vi } from 'vitest'
import { Hub } from '../src/hub.js'

/** How workers start. */
export let fate: 'start' | 'hang' | 'fail' | 'throw' = 'start'

export function setFate(next: typeof fate): void {
  fate = next
}

/** One end of a channel. It delivers copies, later in the same turn, unless the other end is closed by then. */
class FakePort {
  peer: FakePort | undefined
  #closed = false
  #receive: ((event: { data: unknown }) => void) | null = null
  #queued: unknown[] = []

  set onmessage(receive: (event: { data: unknown }) => void) {
    this.#receive = receive
    for (const data of this.#queued.splice(0)) receive({ data })
  }

  postMessage(data: unknown): void {
    const copy = structuredClone(data)
    const { peer } = this
    queueMicrotask(() => peer?.deliver(copy))
  }

  deliver(data: unknown): void {
    if (this.#closed) return
    if (this.#receive) this.#receive({ data })
    else this.#queued.push(data)
  }

  close(): void {
    this.#closed = true
    if (this.peer) this.peer.peer = undefined
    this.peer = undefined
  }
}

/** The locks of a browser, each with who waits for it. */
class FakeLocks {
  readonly #queues = new Map<string, (() => void)[]>()
  /** Locks whose names begin so are refused. */
  refused: string | undefined

  async request(name: string, ...rest: [() => unknown] | [{ signal: AbortSignal }, () => unknown]): Promise<void> {
    const [signal, held] = rest.length === 1 ? [undefined, rest[0]] : [rest[0].signal, rest[1]]
    await Promise.resolve() // A lock is never held at once.
    signal?.throwIfAborted()
    if (this.refused !== undefined && name.startsWith(this.refused)) throw new DOMException('The request was denied.', 'SecurityError')
    const queue = this.#queues.get(name)
    if (queue) {
      await new Promise<void>((resolve, reject) => {
        queue.push(resolve)
        signal?.addEventListener('abort', () => {
          const at = queue.indexOf(resolve)
          if (at < 0) return
          queue.splice(at, 1)
          reject(signal.reason as Error)
        })
      })
    } else this.#queues.set(name, [])
    const revoked = new Promise<void>((resolve) => this.#holders.set(name, resolve))
    await Promise.race([held(), revoked])
    this.#holders.delete(name)
    const next = this.#queues.get(name)?.shift()
    if (next) next()
    else this.#queues.delete(name)
  }

  readonly #holders = new Map<string, () => void>()

  /** How many locks whose names begin so are held. */
  held(prefix: string): number {
    return [...this.#holders.keys()].filter((name) => name.startsWith(prefix)).length
  }

  /** The holders of the locks whose names begin so have crashed. */
  crash(prefix: string): void {
    for (const [name, revoke] of this.#holders) if (name.startsWith(prefix)) revoke()
  }
}

export let locks = new FakeLocks()

const hubs = new Map<string, Hub>()

class FakeSharedWorker extends EventTarget {
  readonly port = new FakePort()

  constructor(_: URL, { name }: { name: string }) {
    super()
    if (fate === 'throw') throw new DOMException('The request was denied.', 'SecurityError')
    if (fate === 'fail') queueMicrotask(() => this.dispatchEvent(new Event('error')))
    if (fate !== 'start') return
    if (!hubs.has(name)) hubs.set(name, new Hub())
    const other = new FakePort()
    this.port.peer = other
    other.peer = this.port
    void hubs.get(name)!.serve(other as unknown as MessagePort)
  }
}

/** The worker ends without a word. What it had open is closed. */
export function crashWorker(): void {
  hubs.clear()
  locks.crash('feedmill-streams worker')
}

/** Gives every test of the calling file shared workers. It must be called after useFakeServer. */
export function useFakeWorkers(): void {
  beforeEach(() => {
    fate = 'start'
    hubs.clear()
    locks = new FakeLocks()
    vi.stubGlobal('SharedWorker', FakeSharedWorker)
    Object.defineProperty(navigator, 'locks', { value: locks, configurable: true })
  })
  afterEach(() => {
    Reflect.deleteProperty(navigator, 'locks')
  })
}
