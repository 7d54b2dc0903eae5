import { isAwaited, isRefusal } from './problem.js'
import type { Answer, StreamProblem } from './wire.js'

/**
 * What has come of each stream, over all connections, and the id of the newest
 * event, from which a new connection resumes.
 *
 * The id says which states the client has, and the server does not send those
 * again. It must not be used if it stands for a state that the client has
 * discarded: the streams then start over.
 */
export class Progress {
  #id = ''
  /** Streams whose state the id may stand for, and the client does not have. */
  readonly #lost = new Set<string>()
  /** Streams of which a state or a problem has come, with the state. */
  readonly #delivered = new Map<string, unknown>()
  /** Streams that come only if they are asked for again. */
  readonly #refused = new Set<string>()

  /** Whether a state or a problem of the stream has come. */
  delivered(name: string): boolean {
    return this.#delivered.has(name)
  }

  /** Whether the stream comes only if it is asked for again. */
  refused(name: string): boolean {
    return this.#refused.has(name)
  }

  get anyRefused(): boolean {
    return this.#refused.size > 0
  }

  /** Returns the id for a connection with these streams, or an empty one if they must start over. */
  idFor(names: readonly string[]): string {
    return names.some((name) => this.#lost.has(name)) ? '' : this.#id
  }

  /** Records the id of an event, which may be empty. The names are all streams of its connection. */
  receiveId(id: string, names: readonly string[]): void {
    if (!id) return
    this.#id = id
    for (const name of this.#lost) if (!names.includes(name)) this.#lost.delete(name)
  }

  /** Returns the text of a stream with what was appended to it, or undefined if one of them is not a text. */
  appended(name: string, end: unknown): string | undefined {
    const text = this.#delivered.get(name)
    return typeof text === 'string' && typeof end === 'string' ? text + end : undefined
  }

  receiveState(name: string, state: unknown): void {
    this.#lost.delete(name)
    this.#delivered.set(name, state)
    this.#refused.delete(name)
  }

  /** Records a state that nobody has: it could not be read, or the stream was left. */
  loseState(name: string): void {
    if (this.#id) this.#lost.add(name)
    if (this.#delivered.has(name)) this.#delivered.set(name, undefined) // Nothing can be appended to it.
  }

  /** Records a problem event. If it has no id, that of an earlier event must not stand for its stream any more. */
  receiveProblem({ stream, problem }: StreamProblem, id: string): void {
    this.#delivered.set(stream, undefined)
    if (!id && isRefusal(problem)) this.loseState(stream)
    this.#refuse(stream, isRefusal(problem) && !isAwaited(problem))
  }

  /** Records an answer. It is newer than the id of the last event, which must not stand for its streams any more. */
  receiveAnswer({ states, problems }: Answer): void {
    for (const [name] of states) {
      this.loseState(name)
      this.#refused.delete(name)
    }
    for (const { stream, problem } of problems) {
      this.loseState(stream)
      this.#refuse(stream, isRefusal(problem))
    }
  }

  /** Discards what is known of the stream. If it is followed again, the server must send its state. */
  forget(name: string): void {
    this.loseState(name)
    this.#delivered.delete(name)
    this.#refused.delete(name)
  }

  #refuse(name: string, refused: boolean): void {
    if (refused) this.#refused.add(name)
    else this.#refused.delete(name)
  }
}
