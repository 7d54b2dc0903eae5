import type { Problem } from './types'

/** Messages by field name. */
export type FieldErrors = Record<string, string>

/** A request that failed. `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: FieldErrors = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** The resource is not there: it never was, or it was deleted. */
  get gone(): boolean {
    return this.status === 404 || this.status === 410
  }

  /** The server's last word. Anything else, no answer included, may be otherwise later. */
  get final(): boolean {
    return this.status >= 400 && this.status < 500 && ![408, 425, 429].includes(this.status)
  }
}

/** Reads the problem document of a refused request, if it has one. */
export async function errorFromResponse(response: Response): Promise<ApiError> {
  const problem = await readProblem(response)
  const message = problem.detail || problem.title || `The server answered ${response.status}.`
  return new ApiError(response.status, message, fieldErrors(problem))
}

async function readProblem(response: Response): Promise<Problem> {
  if (!response.headers.get('Content-Type')?.includes('json')) return {}
  try {
    return (await response.json()) as Problem
  } catch {
    // A proxy's cut-off or mislabelled body still leaves us the status.
    return {}
  }
}

function fieldErrors(problem: Problem): FieldErrors {
  const errors: FieldErrors = {}
  for (const { field, detail } of problem.errors ?? []) {
    const message = sentence(field, detail)
    errors[field] = errors[field] ? `${errors[field]} ${message}` : message
  }
  return errors
}

/** A detail may go on where the field's name ends ("is empty"). */
function sentence(field: string, detail: string): string {
  const text = /^\p{Ll}/u.test(detail) ? `${field} ${detail}` : detail
  const [first = ''] = text
  return first.toUpperCase() + text.slice(first.length) + (/[.!?]$/.test(text) ? '' : '.')
}

/** Any failure as an ApiError, so that pages have one kind to show. */
export function asApiError(failure: unknown): ApiError {
  if (failure instanceof ApiError) return failure
  return new ApiError(0, 'The server cannot be reached.')
}
