// Feed names may contain any character, hence encodeURIComponent.

export function feedsPath(cursor: string): string {
  return `/api/feeds?cursor=${encodeURIComponent(cursor)}`
}

export function feedPath(name: string | readonly string[], cursor = ''): string {
  const path = typeof name === 'string' ? `/api/feeds/${encodeURIComponent(name)}?` : `/api/posts?tags=${encodeURIComponent(name.join())}&`
  return cursor ? `${path}cursor=${encodeURIComponent(cursor)}` : path.slice(0, -1)
}

export function postPath(id: string): string {
  return `/api/posts/${encodeURIComponent(id)}`
}
