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

/** What a connection tells of. */
export interface Receiver {
  statusChanged(status: ConnectionStatus): void
  /** The server has accepted the streams: what failed is over. */
  opened(): void
  state(name: string, value: unknown): void
  problem(problem: StreamProblem): void
  /** Something came for that stream that is no state. */
  misread(name: string, problem: Problem): void
  /** What a plain GET answered while there was no stream. */
  answered(answer: Answer): void
  /** Nothing comes for any stream. */
  failed(problem: Problem): void
}

/**
 * Follows a set of streams with one EventSource at a time.
 *
 * The browser reconnects by itself after a cut connection. It gives up on an
 * error status and does not tell which; then a plain GET finds out, and the
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

  /** Follows these streams instead of those before; none ends the connection. */
  follow(names: readonly string[]): void {
    this.#names = names
    if (names.length === 0) this.#rest()
    else if (!this.#hidden) this.#change()
    this.#watch(names.length > 0)
  }

  /** The last state of that stream is no longer held: if it is followed again, the server has to send it. */
  forget(name: string): void {
    this.#resumePoint.lose(name)
  }

  #rest(): void {
    this.#stop()
    this.#attempts.reset()
    this.#enter('idle')
  }

  #change(): void {
    // While the server is failing, a change must not add to its load: what is
    // under way goes on, and the next attempt is for the new streams.
    if (this.#probe) return
    if (this.#attempts.hurry()) return
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
        this.#resumePoint.reach(event.lastEventId, names)
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
      this.#receiver.misread(name, ownProblem('The server sent something that is not JSON.'))
      return
    }
    // Only now: a server that accepts and then fails must not be hammered.
    this.#attempts.streamHolds()
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
    this.#attempts.streamLasted(Date.now() - this.#openedAt)
    this.#openedAt = Infinity
    this.#enter(lostStatus())
    // A listener of the status may have ended or changed the connection.
    if (source === this.#source && source.readyState === EventSource.CLOSED) void this.#findOut()
  }

  /** Asks by a plain GET why the browser gave up, and acts on the answer. */
  async #findOut(): Promise<void> {
    this.#stop()
    const probe = new AbortController()
    this.#probe = probe
    const credentials = this.#withCredentials ? 'include' : 'same-origin'
    const outcome = await ask(streamAddress(this.#url, this.#names), probe, credentials)
    if (this.#probe !== probe) return
    this.#probe = undefined
    if ('answer' in outcome) {
      this.#overtake(outcome.answer)
      this.#attempts.streamRefused(() => this.#open())
      this.#receiver.answered(outcome.answer)
    } else {
      this.#attempts.serverFailed(() => void this.#findOut())
      this.#enter(lostStatus())
      this.#receiver.failed(outcome.problem)
    }
  }

  /** What a GET answered is newer than what the id speaks for, and the id does not know of it. */
  #overtake({ states, problems }: Answer): void {
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
      // Only a hint (a server on this machine is reached without any network):
      // a new connection shows the truth.
      networkChanged: () => this.#hidden || this.#open(),
      // An open EventSource keeps a page out of the back/forward cache.
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
