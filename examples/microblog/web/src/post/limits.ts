import type { FieldErrors } from '../api/error'
import type { NewPost } from '../api/types'

/** The server's limits, in characters. */
export const postLimits = { title: 200, content: 10_000, author: 100 } as const

/** Counts characters as the server does: an emoji of two code units is one. */
export function countCharacters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

const missing: Partial<Record<keyof NewPost, string>> = {
  content: 'Please write something.',
  author: 'Please say who you are.',
}

/** Returns what the server would refuse. It checks the fields that are present, and trims them as the server does. */
export function checkPost(post: Partial<NewPost>): FieldErrors {
  const errors: FieldErrors = {}
  for (const field of ['title', 'content', 'author'] as const) {
    const text = post[field]
    if (text === undefined) continue
    const limit = postLimits[field]
    const absent = missing[field]
    if (!text.trim() && absent) errors[field] = absent
    else if (countCharacters(text.trim()) > limit) errors[field] = `At most ${limit.toLocaleString('en')} characters.`
  }
  return errors
}
