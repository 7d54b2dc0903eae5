import { createSubscriber } from 'svelte/reactivity'
import type { StreamClient } from './client.js'
import { follow, nothing } from './shown.js'
import type { Shown } from './shown.js'

/**
 * Returns what a stream shows. The stream is followed while an effect, such as
 * a component's markup, reads the state or the problem. Put the call into
 * `$derived` if the name changes. Without a name nothing is followed. Values
 * are not checked against T.
 */
export function useStream<T>(streams: StreamClient, name: string | undefined): Shown<T> {
  let shown: Shown<T> = nothing
  const track = createSubscriber((update) => {
    let started = false // What comes before is read by the effect that starts this.
    shown = nothing // What was shown may be old.
    const leave = follow<T>(streams, name, (next) => {
      shown = next
      if (started) update()
    })
    started = true
    return leave
  })
  return {
    get state() {
      track()
      return shown.state
    },
    get problem() {
      track()
      return shown.problem
    },
  }
}
