import { useMemo, useSyncExternalStore } from 'react'
import type { StreamClient } from './client.js'
import { follow, nothing } from './shown.js'
import type { Shown } from './shown.js'

/**
 * Follows a stream while the calling component is mounted. Another name starts
 * anew, and without a name nothing is followed. Values are not checked against T.
 */
export function useStream<T>(streams: StreamClient, name: string | undefined): Shown<T> {
  const store = useMemo(() => {
    let shown: Shown<T> = nothing
    return {
      subscribe: (changed: () => void) => {
        shown = nothing // What was shown may be old.
        return follow<T>(streams, name, (next) => {
          shown = next
          changed()
        })
      },
      shown: () => shown,
    }
  }, [streams, name])
  return useSyncExternalStore(store.subscribe, store.shown, () => nothing)
}
