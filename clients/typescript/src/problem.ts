/**
 * Why a stream has no new state, as RFC 9457 problem details. Further members
 * that the server sends are kept.
 */
export interface Problem {
  readonly type: string
  readonly title: string
  /**
   * The HTTP status, for example 404 for an unknown stream. It is 0 if the
   * problem is the client's own: the server is unreachable, its data cannot be
   * read, or the connection has no room for the stream.
   */
  readonly status: number
  readonly detail?: string
  readonly [member: string]: unknown
}

/** Returns a problem that a server sent, with defaults for missing members. */
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

/** Returns a problem that the client has found. */
export function ownProblem(title: string): Problem {
  return { type: 'about:blank', title, status: 0 }
}

/** Returns whether the server refuses a stream with this problem, as opposed to failing. */
export function isRefusal({ status }: Problem): boolean {
  return status >= 400 && status < 500
}

/** Returns whether a stream with this problem comes by itself on a connection that is open. */
export function isAwaited({ status }: Problem): boolean {
  return status === 404 || status === 410
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
