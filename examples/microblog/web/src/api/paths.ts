// Feed names may contain any character, hence encodeURIComponent.

export function feedsPath(cursor: string): string {
  return `/api/feeds?cursor=${encodeURIComponent(cursor)}`
}

export function feedPath(name: string, cursor = ''): string {
  const path = `/api/feeds/${encodeURIComponent(name)}`
  return cursor ? `${path}?cursor=${encodeURIComponent(cursor)}` : path
}

export function postPath(id: string): string {
  return `/api/posts/${encodeURIComponent(id)}`
}
