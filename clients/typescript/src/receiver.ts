import type { Problem } from './problem.js'
import type { ConnectionStatus } from './status.js'

/** Receives what comes over a connection. */
export interface Receiver {
  statusChanged(status: ConnectionStatus): void
  /** The server serves the streams. Earlier failures are over. */
  opened(): void
  state(name: string, value: unknown): void
  /** The state of a stream is discarded. */
  discarded(name: string): void
  /** Why a stream has no new state. */
  problem(name: string, problem: Problem): void
  /** No stream is delivered. */
  failed(problem: Problem): void
}
