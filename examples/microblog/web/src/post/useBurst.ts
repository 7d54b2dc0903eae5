import { onScopeDispose, ref } from 'vue'
import { generatePost } from '../api/client'
import { asApiError } from '../api/error'
import type { Post } from '../api/types'

const rate = 5
/** The time after which a burst ends by itself, in milliseconds. */
const longest = 30_000
/** With so many posts unanswered the server is not asked for more. */
const mostAsking = rate

/** Writes random posts, five a second, until it is stopped or half a minute is over. */
export function useBurst(posted: (post: Post, started: number) => void = () => undefined) {
  const running = ref(false)
  const failure = ref('')
  let timer: ReturnType<typeof setInterval> | undefined
  let asking = new AbortController()
  onScopeDispose(stop)

  function start() {
    failure.value = ''
    running.value = true
    asking = new AbortController()
    const { signal } = asking
    const end = performance.now() + longest
    let unanswered = 0
    timer = setInterval(() => {
      if (performance.now() >= end) return stop()
      if (unanswered < mostAsking) void write()
    }, 1000 / rate)

    async function write() {
      unanswered++
      const started = performance.now()
      try {
        posted(await generatePost(signal), started)
      } catch (reason) {
        if (signal.aborted) return
        failure.value = asApiError(reason).message
        stop()
      } finally {
        unanswered--
      }
    }
  }

  function stop() {
    clearInterval(timer)
    running.value = false
    asking.abort()
  }

  return { running, failure, toggle: () => (running.value ? stop() : start()) }
}
