import { nextTick } from 'vue'

/** Resolves after the browser has painted what has changed by now, with the time of it. */
export async function painted(): Promise<number> {
  await nextTick()
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      // The frame is painted before the next task.
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => resolve(performance.now())
      port2.postMessage(undefined)
    })
  })
}
