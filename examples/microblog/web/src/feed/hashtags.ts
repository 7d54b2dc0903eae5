/** A part of a post's content. `tag` is the feed that the part links to. */
export interface ContentPart {
  text: string
  tag?: string
}

// The rule of the server (post/hashtags.go): a tag is letters, digits and `_` after a `#` at the start of a word. The
// `#` in `a#b`, in an address (`/#top`), in an entity (`&#39;`) and in `##` starts no tag.
const hashtag = /(?<![\p{L}\p{Nd}_/&#])#([\p{L}\p{Nd}_]+)/gu

/** Splits content into plain text and hashtags. The joined parts are the content in NFC. */
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

/** Returns the feed of `#name`, or undefined if that is not a hashtag. */
export function feedName(name: string): string | undefined {
  const parts = splitContent(`#${name}`)
  return parts.length === 1 ? parts[0]?.tag : undefined
}

/**
 * Lower-cases each character separately, as the server does. Lower-casing a whole
 * string gives another name for a final sigma, and for `İ`, which becomes two
 * characters.
 */
function lowerCase(tag: string): string {
  return Array.from(tag, (char) => {
    const [first = ''] = char.toLowerCase()
    return first
  }).join('')
}
