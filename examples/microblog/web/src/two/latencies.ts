import { reactive } from 'vue'

/** The number of measurements that are kept. */
const most = 50
/** The number of posts that are noted and not measured: most of those that are painted others have sent. */
const mostNoted = 500

/**
 * Measures the time from sending a post to its being painted elsewhere on the page.
 * Either may be noted first: an event may be faster than the answer to the command.
 */
export function createLatencies() {
  const sent = new Map<string, number>()
  const painted = new Map<string, number>()
  /** The milliseconds of each post, the newest last. */
  const measured = reactive(new Map<string, number>())

  function note(times: Map<string, number>, id: string, at: number) {
    if (measured.has(id) || times.has(id)) return
    times.set(id, at)
    forgetOldest(times, mostNoted)
    const from = sent.get(id)
    const to = painted.get(id)
    if (from === undefined || to === undefined) return
    measured.set(id, to - from)
    sent.delete(id)
    painted.delete(id)
    forgetOldest(measured, most)
  }

  function forgetOldest(times: Map<string, number>, kept: number) {
    const [oldest] = times.keys()
    if (times.size > kept && oldest !== undefined) times.delete(oldest)
  }

  /** Returns the median of the measurements, or undefined without one. */
  function median(): number | undefined {
    const sorted = [...measured.values()].sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)]
  }

  return {
    measured,
    median,
    noteSent: (id: string, at: number) => note(sent, id, at),
    notePainted: (id: string, at: number) => note(painted, id, at),
    /** Forgets posts that are not measured yet: those that a window gets late because it was cut. */
    forgetPending() {
      sent.clear()
      painted.clear()
    },
  }
}
