/**
 * Why a stream has nothing (new) to show, as RFC 9457 problem details. Members
 * that the server adds of its own are kept.
 */
export interface Problem {
  readonly type: string
  readonly title: string
  /**
   * The HTTP status, as 404 for a stream that is unknown or gone. 0 when no
   * server said so: it cannot be reached, what it sent cannot be read, or
   * there is no room for the stream on the connection.
   */
  readonly status: number
  readonly detail?: string
  readonly [member: string]: unknown
}

/** What a server sent as a problem, with what it left out filled in. */
export function asProblem(sent: unknown, status: number): Problem {
  const members = isRecord(sent) ? sent : {}
  const { type, title, detail } = members
  return {
    ...members,
    type: typeof type === 'string' ? type : 'about:blank',
    title: typeof title === 'string' ? title : `The server answered ${status}.`,
    status,
    ...(detail !== undefined && { detail: String(detail) }),
  }
}

/** A problem that the client has found by itself. */
export function ownProblem(title: string): Problem {
  return { type: 'about:blank', title, status: 0 }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
