// Storage may be forbidden or full. The page then does without.

/** Returns what was remembered for all windows, or ''. */
export function remembered(key: string): string {
  return read(() => localStorage.getItem(key))
}

export function remember(key: string, text: string): void {
  attempt(() => localStorage.setItem(key, text))
}

/** Returns what this window has kept, also over a reload, or ''. */
export function kept(key: string): string {
  return read(() => sessionStorage.getItem(key))
}

/** Keeps a text for this window. '' removes it. */
export function keep(key: string, text: string): void {
  attempt(() => (text ? sessionStorage.setItem(key, text) : sessionStorage.removeItem(key)))
}

function read(get: () => string | null): string {
  try {
    return get() ?? ''
  } catch {
    return ''
  }
}

function attempt(set: () => void): void {
  try {
    set()
  } catch {
    return
  }
}
