import type { ConnectionStatus } from './status.js'

/** Carries streams from the server to a client: a connection, or what shares one with other pages. */
export interface Link {
  readonly status: ConnectionStatus
  /** Follows these streams instead of the previous ones. Without streams it holds no connection. */
  follow(names: readonly string[]): void
  /** Discards the state of a stream. If it is followed again, its state is received again. */
  forget(name: string): void
  /** Asks again for a stream if the server has refused it. */
  retry(name: string): void
  /** Opens a new connection, which resumes. */
  reconnect(): void
  /** Discards all states, and receives them again over a new connection. */
  reset(): void
  /** The user has returned to the page: asks again for refused streams, and checks a connection that is silent. */
  returned(): void
}
