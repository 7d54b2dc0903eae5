import type { Feed } from '../api/types'

// Sorts by code unit, so that the order is the same in every browser.
function byName(a: Feed, b: Feed): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** Sorts feeds by number of posts, most first, then by name. */
export function sortFeeds(feeds: readonly Feed[]): Feed[] {
  return [...feeds].sort((a, b) => b.posts - a.posts || byName(a, b))
}

/** Returns the feeds whose name contains the text, which may start with `#`. */
export function filterFeeds(feeds: readonly Feed[], typed: string): readonly Feed[] {
  const wanted = typed.trim().replace(/^#/, '').normalize('NFC').toLowerCase()
  return wanted ? feeds.filter((feed) => feed.name.includes(wanted)) : feeds
}
