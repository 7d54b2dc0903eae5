/** A piece of a post's content; `tag` names the feed that the piece links to. */
export interface ContentPart {
  text: string
  tag?: string
}

// The server's rule (post/hashtags.go). A tag is letters, digits and `_` after a `#` that starts a word. The `#` of
// `a#b`, of an address (`/#top`), of an entity (`&#39;`) or of `##` starts none.
const hashtag = /(?<![\p{L}\p{Nd}_/&#])#([\p{L}\p{Nd}_]+)/gu

/** Splits content into plain text and hashtags; joined, the parts are the NFC of the content. */
export function splitContent(content: string): ContentPart[] {
  const text = content.normalize('NFC')
  const parts: ContentPart[] = []
  let end = 0
  for (const match of text.matchAll(hashtag)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index) })
    parts.push({ text: match[0], tag: lowerCase(match[1] ?? '') })
    end = match.index + match[0].length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}

/** The name of the feed that `#name` leads to; undefined where that is no hashtag. */
export function feedName(name: string): string | undefined {
  const parts = splitContent(`#${name}`)
  return parts.length === 1 ? parts[0]?.tag : undefined
}

/**
 * Lower-cases each character by itself, as the server does. A whole string would
 * become another feed name in two cases: the final sigma, and `İ`, which turns into
 * two characters.
 */
function lowerCase(tag: string): string {
  return Array.from(tag, (char) => {
    const [first = ''] = char.toLowerCase()
    return first
  }).join('')
}
