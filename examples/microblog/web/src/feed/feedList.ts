import type { Feed } from '../api/types'

// By code unit, not by locale: the order is the same in every browser.
function byName(a: Feed, b: Feed): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** The feeds with the most posts first; equal ones by name. */
export function sortFeeds(feeds: readonly Feed[]): Feed[] {
  return [...feeds].sort((a, b) => b.posts - a.posts || byName(a, b))
}

/** The feeds whose name contains what was typed, with or without its `#`. */
export function filterFeeds(feeds: readonly Feed[], typed: string): readonly Feed[] {
  const wanted = typed.trim().replace(/^#/, '').normalize('NFC').toLowerCase()
  return wanted ? feeds.filter((feed) => feed.name.includes(wanted)) : feeds
}
