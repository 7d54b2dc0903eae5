import { Attempts } from './attempts.js'
import { watchPage } from './page.js'
import { ask } from './probe.js'
import { ownProblem } from './problem.js'
import type { Problem } from './problem.js'
import { ResumePoint } from './resumePoint.js'
import { lostStatus } from './status.js'
import type { ConnectionStatus } from './status.js'
import { problemEvent, readProblem, streamAddress } from './wire.js'
import type { Answer, StreamProblem } from './wire.js'

/** Receives what comes over a connection. */
export interface Receiver {
  statusChanged(status: ConnectionStatus): void
  /** The server has accepted the streams. Earlier failures are over. */
  opened(): void
  state(name: string, value: unknown): void
  problem(problem: StreamProblem): void
  /** The data of a stream could not be read. */
  misread(name: string, problem: Problem): void
  /** The answer to a plain GET, while there is no stream. */
  answered(answer: Answer): void
  /** No stream is delivered. */
  failed(problem: Problem): void
}

/**
 * Follows a set of streams with one EventSource at a time.
 *
 * The browser reconnects after a cut connection. It gives up on an error
 * status, without saying which. A plain GET then asks for the reason, and the
 * streams are tried again with backoff.
 */
export class Connection {
  readonly #url: string
  readonly #withCredentials: boolean
  readonly #receiver: Receiver
  readonly #resumePoint = new ResumePoint()
  readonly #attempts = new Attempts()

  #status: ConnectionStatus = 'idle'
  #names: readonly string[] = []
  #source: EventSource | undefined
  #probe: AbortController | undefined
  #openedAt = Infinity
  #hidden = false
  #stopWatching: (() => void) | undefined

  constructor(url: string, withCredentials: boolean, receiver: Receiver) {
    this.#url = url
    this.#withCredentials = withCredentials
    this.#receiver = receiver
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  /** Follows these streams instead of the previous ones. Without streams the connection ends. */
  follow(names: readonly string[]): void {
    this.#names = names
    if (names.length === 0) this.#disconnect()
    else if (!this.#hidden) this.#change()
    this.#watch(names.length > 0)
  }

  /** Discards the state of a stream. If it is followed again, the server must send its state. */
  forget(name: string): void {
    this.#resumePoint.lose(name)
  }

  #disconnect(): void {
    this.#stop()
    this.#attempts.reset()
    this.#enter('idle')
  }

  #change(): void {
    // A change must not add to the load of a failing server. The pending probe or
    // attempt stays, and the next attempt is for the new streams.
    if (this.#probe) return
    if (this.#attempts.advance()) return
    this.#open()
    if (this.#status === 'idle' || this.#status === 'live') this.#enter('connecting')
  }

  #open(): void {
    this.#stop()
    const names = this.#names
    const address = streamAddress(this.#url, names, this.#resumePoint.idFor(names))
    const source = new EventSource(address, { withCredentials: this.#withCredentials })
    this.#source = source
    source.addEventListener('open', () => this.#opened())
    source.addEventListener('error', () => this.#lost(source))
    for (const name of [...names, problemEvent]) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.#resumePoint.update(event.lastEventId, names)
        this.#receive(name, event.data)
      })
    }
  }

  #opened(): void {
    this.#openedAt = Date.now()
    this.#enter('live')
    this.#receiver.opened()
  }

  #receive(name: string, json: string): void {
    let value: unknown
    try {
      value = JSON.parse(json)
    } catch {
      if (name === problemEvent) return
      this.#resumePoint.lose(name)
      this.#receiver.misread(name, ownProblem('The server sent data that is not JSON.'))
      return
    }
    // Not when it opens: the backoff must grow for a server that accepts and then fails.
    this.#attempts.streamDelivered()
    this.#enter('live')
    if (name === problemEvent) this.#receiveProblem(value)
    else {
      this.#resumePoint.hold(name)
      this.#receiver.state(name, value)
    }
  }

  #receiveProblem(value: unknown): void {
    const problem = readProblem(value)
    if (!problem) return
    this.#resumePoint.lose(problem.stream)
    this.#receiver.problem(problem)
  }

  #lost(source: EventSource): void {
    this.#attempts.streamEnded(Date.now() - this.#openedAt)
    this.#openedAt = Infinity
    this.#enter(lostStatus())
    // A status listener may have ended or changed the connection.
    if (source === this.#source && source.readyState === EventSource.CLOSED) void this.#probeServer()
  }

  /** Asks by a plain GET why the browser gave up, and schedules the next attempt. */
  async #probeServer(): Promise<void> {
    this.#stop()
    const probe = new AbortController()
    this.#probe = probe
    const credentials = this.#withCredentials ? 'include' : 'same-origin'
    const outcome = await ask(streamAddress(this.#url, this.#names), probe, credentials)
    if (this.#probe !== probe) return
    this.#probe = undefined
    if ('answer' in outcome) {
      this.#discardId(outcome.answer)
      this.#attempts.streamRefused(() => this.#open())
      this.#receiver.answered(outcome.answer)
    } else {
      this.#attempts.serverFailed(() => void this.#probeServer())
      this.#enter(lostStatus())
      this.#receiver.failed(outcome.problem)
    }
  }

  /** Stops using the event ID for the streams of an answer, because the answer is newer than the ID. */
  #discardId({ states, problems }: Answer): void {
    for (const [name] of states) this.#resumePoint.lose(name)
    for (const { stream } of problems) this.#resumePoint.lose(stream)
  }

  #stop(): void {
    this.#source?.close()
    this.#source = undefined
    this.#attempts.cancel()
    this.#probe?.abort()
    this.#probe = undefined
  }

  #enter(status: ConnectionStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.#receiver.statusChanged(status)
  }

  #watch(wanted: boolean): void {
    if (!wanted) {
      this.#stopWatching?.()
      this.#stopWatching = undefined
      this.#hidden = false
      return
    }
    this.#stopWatching ??= watchPage({
      // Only a hint, because a server on this machine is reachable without a
      // network. A new connection shows whether the server is reachable.
      networkChanged: () => this.#hidden || this.#open(),
      // A page with an open EventSource is not kept in the back/forward cache.
      hidden: () => {
        this.#hidden = true
        this.#stop()
      },
      restored: () => {
        this.#hidden = false
        this.#open()
        this.#enter('connecting')
      },
    })
  }
}
