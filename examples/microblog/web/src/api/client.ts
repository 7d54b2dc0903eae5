import { ApiError, asApiError, errorFromResponse } from './error'
import { feedPath, feedsPath, postPath } from './paths'
import type { FeedList, FeedPage, NewPost, Post, PostDraft } from './types'

/** The time that a request may take, in milliseconds. The server gives up a command after ten seconds. */
export const timeLimit = 12_000

export interface RequestOptions {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

/**
 * Sends a request. Rejects with an ApiError, after timeLimit at the latest, or with
 * the reason of its aborted signal.
 */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const { body, signal } = options
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), timeLimit)
  try {
    const response = await fetch(path, {
      method,
      headers,
      signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    if (!response.ok) throw await errorFromResponse(response)
    const answer = response.status === 204 ? undefined : await response.json()
    signal?.throwIfAborted()
    return answer as T
  } catch (failure) {
    signal?.throwIfAborted()
    if (late.signal.aborted) throw unanswered(method)
    throw asApiError(failure)
  } finally {
    clearTimeout(timer)
  }
}

function unanswered(method: string): ApiError {
  const consequence = method === 'GET' ? '' : ' It may have been done all the same: look before you try again.'
  return new ApiError(0, `The server did not answer within ${timeLimit / 1000} seconds.${consequence}`)
}

export function loadFeedList(cursor: string, signal?: AbortSignal): Promise<FeedList> {
  return request('GET', feedsPath(cursor), { signal })
}

export function loadFeedPage(name: string | readonly string[], cursor: string, signal?: AbortSignal): Promise<FeedPage> {
  return request('GET', feedPath(name, cursor), { signal })
}

export function loadPost(id: string, signal?: AbortSignal): Promise<Post> {
  return request('GET', postPath(id), { signal })
}

export function createPost(post: NewPost, signal?: AbortSignal): Promise<Post> {
  return request('POST', '/api/posts', { body: post, signal })
}

export function generatePost(signal?: AbortSignal): Promise<Post> {
  return request('POST', '/api/generate/post', { signal })
}

/** Returns the tags that a post with this content would have. */
export function readTags(content: string, signal?: AbortSignal): Promise<{ tags: string[] }> {
  return request('POST', '/api/tags', { body: { content }, signal })
}

/** Saves a draft of a post. Rejects with 412 if the post no longer has the version. */
export function updatePost(id: string, version: number, draft: PostDraft, signal?: AbortSignal): Promise<Post> {
  return request('PATCH', postPath(id), { body: draft, headers: { 'If-Match': `"${version}"` }, signal })
}

export function deletePost(id: string, signal?: AbortSignal): Promise<void> {
  return request('DELETE', postPath(id), { signal })
}
