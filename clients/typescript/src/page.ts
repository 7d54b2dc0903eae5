/** Events of a page that matter to its connections. */
export interface PageEvents {
  /** The browser reports that the network came or went. */
  networkChanged(): void
  /** The user leaves the page. It may be restored. */
  hidden(): void
  /** The page was restored from the back/forward cache. */
  restored(): void
}

/** Watches the page until the returned function is called. */
export function watchPage(events: PageEvents): () => void {
  const watched: [string, (event: Event) => void][] = [
    ['online', () => events.networkChanged()],
    ['offline', () => events.networkChanged()],
    ['pagehide', () => events.hidden()],
    ['pageshow', (event) => (event as PageTransitionEvent).persisted && events.restored()],
  ]
  for (const [type, listener] of watched) addEventListener(type, listener)
  return () => {
    for (const [type, listener] of watched) removeEventListener(type, listener)
  }
}
