import type { FeedPage, Post } from '../api/types'

/** What a reader saw of a feed when they left it. */
export interface FeedSnapshot {
  newest: FeedPage
  older: Post[]
  olderNext: string | undefined
  loadedPages: number
  /** The post at the top of the window, and how far below it. */
  place?: Place
}

export interface Place {
  id: string
  top: number
}

/** The number of places that are kept. */
const most = 30
const snapshots = new Map<string, FeedSnapshot>()

/** Returns the name of what the window shows now of a feed. Each entry of the browser's history has its own. */
export function placeInHistory(feed: string): string {
  return `${window.history.state?.position ?? ''} ${feed}`
}

export function keepSnapshot(place: string, snapshot: FeedSnapshot): void {
  snapshots.delete(place)
  snapshots.set(place, snapshot)
  const [oldest] = snapshots.keys()
  if (snapshots.size > most && oldest !== undefined) snapshots.delete(oldest)
}

/** Returns what was shown at a place that the user has gone back or forward to. */
export function takeSnapshot(place: string): FeedSnapshot | undefined {
  const snapshot = snapshots.get(place)
  snapshots.delete(place)
  return snapshot
}
