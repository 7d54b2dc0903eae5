import type { Problem } from './types'

/** Messages by field name. */
export type FieldErrors = Record<string, string>

/** A request that failed. `status` is 0 if no answer came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: FieldErrors = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** Whether the resource does not exist. */
  get notFound(): boolean {
    return this.status === 404 || this.status === 410
  }

  /** Whether the server refused the request. Other failures may be temporary. */
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
    // The body of a proxy may be cut off or mislabelled. The status is enough then.
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

/** Makes a sentence of a detail. It may need the field's name in front ("is empty"). */
function sentence(field: string, detail: string): string {
  const text = /^\p{Ll}/u.test(detail) ? `${field} ${detail}` : detail
  const [first = ''] = text
  return first.toUpperCase() + text.slice(first.length) + (/[.!?]$/.test(text) ? '' : '.')
}

/** Converts any failure to an ApiError. */
export function asApiError(failure: unknown): ApiError {
  if (failure instanceof ApiError) return failure
  return new ApiError(0, 'The server cannot be reached.')
}
