import { onScopeDispose, watch } from 'vue'
import type { Ref } from 'vue'
import { keep, kept } from './storage'

// A draft is kept for its window, so that it survives another page and a reload.

const keyOf = (place: string) => `microblog.draft.${place}`

/** Returns the draft of a place, or undefined. What an older release has kept may have another form. */
export function keptDraft<T>(place: string, isDraft: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(kept(keyOf(place)) || 'null')
    return isDraft(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function keepDraft(place: string, draft: unknown): void {
  keep(keyOf(place), draft === undefined ? '' : JSON.stringify(draft))
}

/** Warns before the window is closed or reloaded while there is something to lose. */
export function useUnsavedWarning(dirty: Readonly<Ref<boolean>>): void {
  const warn = (event: BeforeUnloadEvent) => event.preventDefault()
  const stop = () => window.removeEventListener('beforeunload', warn)
  // A listener alone keeps some browsers from restoring the page quickly.
  watch(
    dirty,
    (isDirty) => {
      stop()
      if (isDirty) window.addEventListener('beforeunload', warn)
    },
    { immediate: true },
  )
  onScopeDispose(stop)
}
