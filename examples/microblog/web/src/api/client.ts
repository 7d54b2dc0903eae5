import { asApiError, errorFromResponse } from './error'
import { feedPath, postPath } from './paths'
import type { FeedPage, NewPost, Post, PostDraft } from './types'

export interface RequestOptions {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** Sends a request. Rejects with an ApiError, or with the reason of its aborted signal. */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const { body, signal } = options
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  try {
    const response = await fetch(path, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    if (!response.ok) throw await errorFromResponse(response)
    const answer = response.status === 204 ? undefined : await response.json()
    signal?.throwIfAborted()
    return answer as T
  } catch (failure) {
    signal?.throwIfAborted()
    throw asApiError(failure)
  }
}

export function loadFeedPage(name: string, cursor: string, signal?: AbortSignal): Promise<FeedPage> {
  return request('GET', feedPath(name, cursor), { signal })
}

export function loadPost(id: string): Promise<Post> {
  return request('GET', postPath(id))
}

export function createPost(post: NewPost): Promise<Post> {
  return request('POST', '/api/posts', { body: post })
}

export function generatePost(): Promise<Post> {
  return request('POST', '/api/generate/post')
}

/** Saves a draft of a post. Rejects with 412 if the post no longer has the version. */
export function updatePost(id: string, version: number, draft: PostDraft): Promise<Post> {
  return request('PATCH', postPath(id), { body: draft, headers: { 'If-Match': `"${version}"` } })
}

export function deletePost(id: string): Promise<void> {
  return request('DELETE', postPath(id))
}
