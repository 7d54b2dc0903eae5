/** Events of a page that matter to its connections. */
export interface PageEvents {
  /** The browser reports that the network came or went. */
  networkChanged(): void
  /** The user leaves the page. It may be restored. */
  left(): void
  /** The page was restored from the back/forward cache. */
  restored(): void
  /** The user looks at the page again, or the browser lets it run again. */
  returned(): void
}

/** Watches the page until the returned function is called. */
export function watchPage(events: PageEvents): () => void {
  const page: Document | undefined = globalThis.document // A worker has none.
  const watched: [EventTarget | undefined, string, (event: Event) => void][] = [
    [globalThis, 'online', () => events.networkChanged()],
    [globalThis, 'offline', () => events.networkChanged()],
    [globalThis, 'pagehide', () => events.left()],
    [globalThis, 'pageshow', (event) => ((event as PageTransitionEvent).persisted ? events.restored() : events.returned())],
    [globalThis, 'focus', () => events.returned()],
    [page, 'visibilitychange', () => page?.visibilityState === 'visible' && events.returned()],
    [page, 'resume', () => events.returned()],
  ]
  for (const [target, type, listener] of watched) target?.addEventListener(type, listener)
  return () => {
    for (const [target, type, listener] of watched) target?.removeEventListener(type, listener)
  }
}
