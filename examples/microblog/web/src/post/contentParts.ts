import type { Hashtag } from '../api/types'

/** A part of a post's content: text, code, or a hashtag that leads to the feed `tag`. */
export interface ContentPart {
  text: string
  tag?: string
  code?: true
}

// A line of code is between backticks, as in Markdown. Nothing else of it is read.
const code = /`([^`\n]+)`/g

/** Splits the shown beginning of a content where the server found hashtags. */
export function contentParts(shown: string, hashtags: readonly Hashtag[]): ContentPart[] {
  const parts: ContentPart[] = []
  let from = 0
  for (const { tag, start, end } of hashtags) {
    if (end > shown.length) break
    parts.push(...textParts(shown.slice(from, start)), { text: shown.slice(start, end), tag })
    from = end
  }
  return [...parts, ...textParts(shown.slice(from))]
}

function textParts(text: string): ContentPart[] {
  const parts: ContentPart[] = []
  let from = 0
  for (const match of text.matchAll(code)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index) })
    parts.push({ text: match[1] ?? '', code: true })
    from = match.index + match[0].length
  }
  if (from < text.length) parts.push({ text: text.slice(from) })
  return parts
}
