/**
 * The id of the newest event, from which a new connection goes on.
 *
 * An id says which states its client holds, and the server sends those no more.
 * So it must not be used when it speaks for a state that this client has given
 * up: then the streams start over.
 */
export class ResumePoint {
  #id = ''
  /** Streams whose state the id may speak for, and the client does not hold. */
  readonly #lost = new Set<string>()

  /** Takes the id of an event; empty if it had none. Names: all streams of its connection. */
  reach(id: string, names: readonly string[]): void {
    if (!id) return
    this.#id = id
    for (const name of this.#lost) if (!names.includes(name)) this.#lost.delete(name)
  }

  /** The client no longer holds that stream's state. */
  lose(name: string): void {
    if (this.#id) this.#lost.add(name)
  }

  /** The client holds that stream's newest state. */
  hold(name: string): void {
    this.#lost.delete(name)
  }

  /** Where a connection for these streams goes on; empty if it has to start over. */
  idFor(names: readonly string[]): string {
    return names.some((name) => this.#lost.has(name)) ? '' : this.#id
  }
}
