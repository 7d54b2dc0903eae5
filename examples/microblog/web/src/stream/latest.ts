/** The least time between two states that are shown, in milliseconds: a reader sees no more of a page under load. */
const pause = 100

/**
 * Passes values to `show`: the first at once, and of those that follow it closely
 * the latest, in a frame of its own. A page that is hidden has no frames, so it gets
 * the latest when it is shown again. `flush` shows a value that waits, and `stop`
 * drops it.
 */
export function latest<T>(show: (value: T) => void) {
  let shown = Number.NEGATIVE_INFINITY
  let waiting: { value: T } | undefined
  let frame = 0

  function stop() {
    cancelAnimationFrame(frame)
    frame = 0
    waiting = undefined
  }

  function flush() {
    const next = waiting
    stop()
    if (!next) return
    shown = performance.now()
    show(next.value)
  }

  const isDue = () => performance.now() - shown >= pause

  function nextFrame() {
    if (isDue()) flush()
    else frame = requestAnimationFrame(nextFrame)
  }

  function offer(value: T) {
    waiting = { value }
    if (frame !== 0) return
    if (isDue() && !document.hidden) flush()
    else frame = requestAnimationFrame(nextFrame)
  }

  return { offer, flush, stop }
}
