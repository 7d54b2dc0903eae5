import type { Problem } from './problem.js'
import type { ConnectionStatus } from './status.js'
import type { Answer, StreamProblem } from './wire.js'

/** Receives what comes over a connection. */
export interface Receiver {
  statusChanged(status: ConnectionStatus): void
  /** The server serves the streams. Earlier failures are over. */
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
