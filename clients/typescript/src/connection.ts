import { Attempts } from './attempts.js'
import { Pace } from './pace.js'
import type { Link } from './link.js'
import { watchPage } from './page.js'
import { ask } from './probe.js'
import { ownProblem } from './problem.js'
import { Progress } from './progress.js'
import type { Receiver } from './receiver.js'
import { Source } from './source.js'
import { lostStatus } from './status.js'
import type { ConnectionStatus } from './status.js'
import type { Transport } from './transport.js'
import { Watchdog } from './watchdog.js'
import { answerAddress, problemEvent, readProblem, streamAddress } from './wire.js'

/** How long an interruption may last that does not show in the status. */
const unnoticed = 1_000

/** How long changes of the streams wait for a connection that has not delivered all of its streams. */
const patience = { first: 1_000, longest: 16_000 }

/**
 * Follows a set of streams with one event stream at a time.
 *
 *     idle      no stream is followed, or the page is left, or the server refuses all streams
 *     opening   requested, or cut, after which the event stream reconnects; no event has come
 *     live      an event has come, be it a heartbeat
 *     asking    the event stream has given up, without saying why: a plain GET asks for the reason
 *     waiting   until it opens or asks again, with backoff
 *
 * From opening and live it opens a new connection, which resumes, when the
 * streams have changed (once the present connection has delivered its streams,
 * or had its time), when three heartbeats are missing, when the network has
 * changed, and when a refused stream may have come back.
 */
export class Connection implements Link {
  readonly #url: string
  readonly #transport: Transport
  readonly #receiver: Receiver
  #progress = new Progress()
  readonly #attempts = new Attempts()
  readonly #changes = new Pace(100, 2_000)
  readonly #renewals = new Pace(1_000, 30_000)
  readonly #watchdog = new Watchdog(() => this.#silent())

  #status: ConnectionStatus = 'idle'
  #names: readonly string[] = []
  #source: Source | undefined
  /** The connection for whose refused streams a new one is scheduled. */
  #retrying: Source | undefined
  #patience = patience.first
  #probe: AbortController | undefined
  #left = false
  #stopWatching: (() => void) | undefined

  constructor(url: string, transport: Transport, receiver: Receiver) {
    this.#url = url
    this.#transport = transport
    this.#receiver = receiver
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  follow(names: readonly string[]): void {
    this.#names = names
    // First, for a listener of the status may end it.
    this.#watch(names.length > 0)
    if (names.length === 0) this.#disconnect()
    else if (!this.#left) this.#change()
  }

  forget(name: string): void {
    this.#progress.forget(name)
  }

  retry(name: string): void {
    if (this.#progress.refused(name)) this.returned()
  }

  #disconnect(): void {
    this.#stop()
    this.#attempts.reset()
    this.#changes.rest()
    this.#enter('idle')
  }

  #change(): void {
    // A change must not add to the load of a failing server. The pending probe or
    // attempt stays, and the next attempt is for the new streams.
    if (this.#source) this.#keepUp(this.#source)
    else if (this.#status === 'idle') this.#openWithin(this.#changes.wait)
    else if (!this.#probe) this.#attempts.advance()
    if (this.#status === 'idle') this.#enter('connecting')
  }

  /** Schedules a connection for changed streams, if they have changed. */
  #keepUp(source: Source): void {
    if (source !== this.#source || source.names === this.#names) return
    const time = this.#isServed(source) ? 0 : this.#patience - source.age
    this.#openWithin(Math.max(time, this.#changes.wait))
  }

  /** Reports whether all streams of a connection that are still followed are delivered, or refused. */
  #isServed({ alive, names }: Source): boolean {
    return alive && names.every((name) => this.#progress.delivered(name) || !this.#names.includes(name))
  }

  #openWithin(milliseconds: number): void {
    this.#attempts.within(milliseconds, () => this.#open())
  }

  #open(): void {
    const cutShort = this.#source && !this.#isServed(this.#source)
    this.#patience = cutShort ? Math.min(2 * this.#patience, patience.longest) : patience.first
    this.#stop()
    this.#changes.step()
    const names = this.#names
    const address = streamAddress(this.#url, names, this.#progress.idFor(names))
    this.#source = new Source(this.#transport.open(address), names, {
      alive: () => this.#live(),
      heartbeat: (source, interval) => {
        if (source !== this.#source) return
        if (interval > 0) this.#watchdog.expect(interval)
        this.#keepUp(source)
      },
      received: (source, name, value, id, append) => this.#receive(source, name, value, id, append),
      pending: (source) => this.#pending(source),
      lost: (milliseconds, gaveUp) => this.#lost(milliseconds, gaveUp),
    })
  }

  #live(): void {
    this.#watchdog.alive()
    if (this.#status === 'live') return
    this.#enter('live')
    this.#receiver.opened()
  }

  #receive(source: Source, name: string, value: unknown, id: string, append: string): void {
    if (source !== this.#source) return // A status listener has ended it.
    this.#progress.receiveId(id, source.names)
    // Not when it opens: the backoff must grow for a server that accepts and then fails.
    this.#attempts.delivered()
    if (name === problemEvent) this.#receiveProblem(source, value, id)
    else if (!append) this.#receiveState(name, value)
    // A stream that was left may have come back before its new connection.
    else if (this.#progress.delivered(name)) this.#receiveState(name, this.#progress.appended(name, value))
    this.#keepUp(source)
  }

  #receiveState(name: string, value: unknown): void {
    // A stream that was left stays on the connection until the next one.
    if (value === undefined || !this.#names.includes(name)) this.#progress.loseState(name)
    else this.#progress.receiveState(name, value)
    if (value === undefined) this.#receiver.problem(name, ownProblem('The server sent data that is not JSON.'))
    else this.#receiver.state(name, value)
  }

  #receiveProblem(source: Source, value: unknown, id: string): void {
    const problem = readProblem(value)
    if (!problem || !this.#names.includes(problem.stream)) return
    this.#progress.receiveProblem(problem, id)
    if (this.#progress.refused(problem.stream) && this.#retrying !== source) {
      this.#retrying = source
      this.#attempts.streamRefused(() => this.#open())
    }
    this.#receiver.problem(problem.stream, problem.problem)
  }

  /** Nothing has come yet. */
  #pending(source: Source): void {
    if (this.#status === 'live') this.#enter('connecting')
    if (source === this.#source && source.age >= this.#watchdog.longestOpening) void this.#probeServer()
  }

  #lost(milliseconds: number, gaveUp: boolean): void {
    this.#watchdog.stop()
    this.#attempts.ended(milliseconds)
    // A connection of which all streams are refused may end, and need not come again soon.
    if (gaveUp || this.#allRefused()) void this.#probeServer()
    else this.#enter(lostStatus())
  }

  #allRefused(): boolean {
    return this.#names.every((name) => this.#progress.refused(name))
  }

  /** Three heartbeats are missing. */
  #silent(): void {
    this.#enter(lostStatus())
    this.#renew()
  }

  /** Opens a new connection in place of one that may be dead, or that lacks streams. */
  #renew(): void {
    if (this.#left || this.#names.length === 0) return
    this.#attempts.within(this.#renewals.wait, () => {
      this.#renewals.step()
      this.#open()
      if (this.#status === 'idle') this.#enter('connecting')
    })
  }

  returned(): void {
    if (this.#left || this.#names.length === 0) return
    this.#attempts.streamMayReturn()
    if (!this.#source) this.#attempts.advance()
    else if (this.#watchdog.late) this.#silent()
    else if (this.#progress.anyRefused) this.#renew()
  }

  reconnect(): void {
    this.#attempts.streamMayReturn()
    // The outcome of the present one would be that of an old login, and would end the wait for a new connection.
    if (this.#probe) void this.#probeServer()
    this.#renew()
  }

  reset(): void {
    this.#progress = new Progress()
    if (this.#left || this.#names.length === 0) return
    this.#stop()
    this.#enter('connecting')
    this.#renew()
  }

  /** Asks by a plain request why the event stream gave up, and schedules the next attempt. */
  async #probeServer(): Promise<void> {
    this.#stop()
    const probe = new AbortController()
    this.#probe = probe
    // Not at once, for the server may have no stream to serve.
    this.#attempts.within(unnoticed, () => this.#status === 'idle' || this.#enter(lostStatus()))
    const outcome = await ask(this.#transport, answerAddress(this.#url, this.#names), probe, this.#watchdog.longestOpening)
    if (this.#probe !== probe) return
    this.#probe = undefined
    this.#attempts.cancel()
    if ('problem' in outcome) {
      this.#attempts.serverFailed(() => void this.#probeServer(), outcome.retryAfter)
      this.#enter(lostStatus())
      this.#receiver.failed(outcome.problem)
      return
    }
    this.#progress.receiveAnswer(outcome.answer)
    if (this.#allRefused()) {
      this.#attempts.streamRefused(() => void this.#probeServer())
      this.#enter('idle')
    } else {
      this.#attempts.connectionRefused(() => this.#open())
      this.#enter(this.#status === 'idle' ? 'connecting' : lostStatus())
    }
    for (const [name, value] of outcome.answer.states) this.#receiver.state(name, value)
    for (const { stream, problem } of outcome.answer.problems) this.#receiver.problem(stream, problem)
  }

  #stop(): void {
    this.#source?.close()
    this.#source = undefined
    this.#watchdog.stop()
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
      this.#left = false
      return
    }
    this.#stopWatching ??= watchPage({
      // Only a hint, because a server on this machine is reachable without a
      // network. A new connection shows whether the server is reachable.
      networkChanged: () => this.#renew(),
      returned: () => this.returned(),
      // A page with an open EventSource is not kept in the back/forward cache.
      left: () => {
        this.#left = true
        this.#stop()
      },
      restored: () => {
        this.#left = false
        this.#openWithin(0)
        this.#enter('connecting')
      },
    })
  }
}
