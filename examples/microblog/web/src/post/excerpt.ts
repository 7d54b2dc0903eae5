import type { PostDraft } from '../api/types'

/** A card shows at most this much of a post until the reader wants more. */
const mostCharacters = 400
const mostLines = 8

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Returns the beginning of a long content, or undefined if it is short enough for a card. */
export function excerpt(content: string): string | undefined {
  const lines = content.split('\n', mostLines + 1)
  const few = lines.length > mostLines ? lines.slice(0, mostLines).join('\n') : content
  const short = few.length > mostCharacters ? cut(few, mostCharacters) : few
  return short.length < content.length ? short.trimEnd() : undefined
}

/** Returns a name of a post: its title, or how it begins. */
export function nameOf({ title, content }: PostDraft): string {
  if (title) return title
  const [line = ''] = content.split('\n', 1)
  return line.length > 60 ? `${cut(line, 60).trimEnd()}…` : line
}

/** Cuts a text after a number of UTF-16 units or a little before, at the end of a word if one is near, and in no character. */
function cut(text: string, units: number): string {
  const word = text.lastIndexOf(' ', units)
  if (word > units * 0.8) return text.slice(0, word)
  let end = 0
  for (const { index, segment } of graphemes.segment(text.slice(0, units + 64))) {
    if (index + segment.length > units) break
    end = index + segment.length
  }
  // What a reader sees as one character may be as long as its author likes.
  return text.slice(0, end || units)
}
