/** What a page goes through that its connections must know of. */
export interface PageEvents {
  /** The browser says that the network came or went. */
  networkChanged(): void
  /** The page is being left; it may come back. */
  hidden(): void
  /** The page came back from the back/forward cache. */
  restored(): void
}

/** Watches the page until the function that it returns is called. */
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
