/**
 * The id of the newest event, from which a new connection resumes.
 *
 * An id says which states the client has, and the server does not send those
 * again. The id must not be used if it stands for a state that the client has
 * discarded: the streams then start over.
 */
export class ResumePoint {
  #id = ''
  /** Streams whose state the id may stand for, and the client does not have. */
  readonly #lost = new Set<string>()

  /** Sets the id of an event, which may be empty. The names are all streams of its connection. */
  update(id: string, names: readonly string[]): void {
    if (!id) return
    this.#id = id
    for (const name of this.#lost) if (!names.includes(name)) this.#lost.delete(name)
  }

  /** Records that the client has discarded the stream's state. */
  lose(name: string): void {
    if (this.#id) this.#lost.add(name)
  }

  /** Records that the client has the stream's newest state. */
  hold(name: string): void {
    this.#lost.delete(name)
  }

  /** Returns the id for a connection with these streams, or an empty one if they must start over. */
  idFor(names: readonly string[]): string {
    return names.some((name) => this.#lost.has(name)) ? '' : this.#id
  }
}
