// Feed names may contain any character, hence encodeURIComponent.

export const feedsPath = '/api/feeds'

export function feedPath(name: string, cursor = ''): string {
  const path = `${feedsPath}/${encodeURIComponent(name)}`
  return cursor ? `${path}?cursor=${encodeURIComponent(cursor)}` : path
}

export function postPath(id: string): string {
  return `/api/posts/${encodeURIComponent(id)}`
}
