import { remember, remembered } from './storage'

const key = 'microblog.author'

export const rememberedAuthor = () => remembered(key)
export const rememberAuthor = (author: string) => remember(key, author)

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const lengthOf = (text: string) => [...graphemes.segment(text)].length

/**
 * Returns the first character of a name as a reader sees it, which may be many code
 * points: a flag, a family, a letter with its accent. It is in upper case if that is
 * one character too.
 */
export function initialOf(author: string): string {
  const [first] = graphemes.segment(author.trim())
  if (!first) return '?'
  const upper = first.segment.toLocaleUpperCase()
  return lengthOf(upper) === 1 ? upper : first.segment
}
