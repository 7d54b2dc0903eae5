import type { Feed, FeedList } from '../api/types'

/** Compares names by code point. It is the order of the server, and the same in every browser. */
export function byName(a: Feed, b: Feed): number {
  const left = Array.from(a.name)
  const right = Array.from(b.name)
  const at = left.findIndex((char, i) => char !== right[i])
  if (at < 0) return left.length - right.length
  return (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1)
}

/** Sorts feeds by number of posts, most first, then by name. */
export function sortFeeds(feeds: readonly Feed[]): Feed[] {
  return [...feeds].sort((a, b) => b.posts - a.posts || byName(a, b))
}

/** Returns the feeds whose name contains the text, which may start with `#`. */
export function filterFeeds(feeds: readonly Feed[], typed: string): readonly Feed[] {
  const wanted = withoutMarks(bareName(typed))
  return wanted ? feeds.filter((feed) => withoutMarks(feed.name).includes(wanted)) : feeds
}

/** Returns a text without accents and other marks, so that "cafe" finds "café". */
function withoutMarks(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '')
}

/** Returns the name that was typed with or without `#`. */
export function bareName(typed: string): string {
  return typed.trim().replace(/^[#＃]/, '').normalize('NFC').toLowerCase()
}

/** Selects the shown feeds that come after the part of the list that the stream has sent. Feeds move across its end. */
export function feedsBehind(shown: readonly Feed[], list: FeedList): Feed[] {
  if (!list.next) return []
  const last = { name: list.next, posts: 0 }
  return shown.filter((feed) => byName(feed, last) > 0)
}
