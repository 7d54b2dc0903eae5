import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createPost, deletePost, request, timeLimit, updatePost } from './client'
import { ApiError } from './error'
import { feedPath } from './paths'

const answers = vi.fn<typeof fetch>()

beforeEach(() => {
  answers.mockReset()
  vi.stubGlobal('fetch', answers)
})

function problem(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json' } })
}

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const failure = await promise.catch((reason: unknown) => reason)
  expect(failure).toBeInstanceOf(ApiError)
  return failure as ApiError
}

it('encodes feed names and cursors', () => {
  expect(feedPath('c#/ü')).toBe('/api/feeds/c%23%2F%C3%BC')
  expect(feedPath('go', 'a&b')).toBe('/api/feeds/go?cursor=a%26b')
  expect(feedPath(['go', 'ü'], 'a&b')).toBe('/api/posts?tags=go%2C%C3%BC&cursor=a%26b')
})

describe('request', () => {
  it('reads the fields of a problem', async () => {
    const errors = [
      { field: 'title', detail: 'must not be empty' },
      { field: 'author', detail: 'is too long' },
    ]
    answers.mockResolvedValue(problem(422, { title: 'Invalid post', errors }))
    const failure = await failureOf(createPost({ title: '', content: 'c', author: 'a' }))
    expect(failure).toMatchObject({ status: 422, message: 'Invalid post' })
    expect(failure.fields).toEqual({ title: 'Title must not be empty.', author: 'Author is too long.' })
  })

  it('has a message for an answer that is not a problem document', async () => {
    answers.mockResolvedValue(new Response('<h1>Bad Gateway</h1>', { status: 502 }))
    expect(await failureOf(request('GET', '/x'))).toMatchObject({ status: 502, message: 'The server answered 502.' })
  })

  it('has status 0 if there is no answer', async () => {
    answers.mockRejectedValue(new TypeError('failed to fetch'))
    expect((await failureOf(request('GET', '/x'))).status).toBe(0)
  })

  it('rejects with the reason of an abort', async () => {
    const asking = new AbortController()
    answers.mockImplementation(() => {
      asking.abort()
      return Promise.reject(asking.signal.reason)
    })
    await expect(request('GET', '/x', { signal: asking.signal })).rejects.toBe(asking.signal.reason)
  })
})

it('makes an update conditional on its version', async () => {
  answers.mockResolvedValue(Response.json({}))
  await updatePost('7', 3, { title: 't', content: 'c' })
  const [path, init] = answers.mock.calls[0]!
  expect(path).toBe('/api/posts/7')
  expect(init).toMatchObject({ method: 'PATCH', body: '{"title":"t","content":"c"}' })
  expect(init?.headers).toMatchObject({ 'If-Match': '"3"', 'Content-Type': 'application/json' })
})

it('expects no body after a deletion', async () => {
  answers.mockResolvedValue(new Response(null, { status: 204 }))
  await expect(deletePost('7')).resolves.toBeUndefined()
})

describe('a request that is not answered', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    answers.mockImplementation((_, init) => new Promise((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    }))
  })
  afterEach(() => vi.useRealTimers())

  it('ends, and says that a command may have been done', async () => {
    const failure = failureOf(createPost({ title: 't', content: 'c', author: 'a' }))
    await vi.advanceTimersByTimeAsync(timeLimit)
    expect(await failure).toMatchObject({ status: 0, message: expect.stringContaining('may have been done') })
  })

  it('can be cancelled before', async () => {
    const asking = new AbortController()
    const failure = request('GET', '/x', { signal: asking.signal }).catch((reason: unknown) => reason)
    asking.abort()
    expect(await failure).toBe(asking.signal.reason)
  })
})
