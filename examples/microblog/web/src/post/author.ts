const key = 'microblog.author'

// Storage may be forbidden or full. The user then types the name again.

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
