const key = 'microblog.author'

// Storage may be forbidden or full; then the name is simply typed again.

export function rememberedAuthor(): string {
  try {
    return localStorage.getItem(key) ?? ''
  } catch {
    return ''
  }
}

export function rememberAuthor(author: string): void {
  try {
    localStorage.setItem(key, author)
  } catch {
    return
  }
}
