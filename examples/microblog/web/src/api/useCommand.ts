import { ref } from 'vue'

/**
 * One command at a time of a part of a page: `run` does nothing while another runs,
 * and `cancel` ends it. A command outlives its part of the page, because what the
 * user sent is not taken back when they go to another page.
 */
export function useCommand() {
  const busy = ref(false)
  let current: AbortController | undefined

  /** Runs a command. Resolves to undefined if it was cancelled or did not start. */
  async function run<T>(command: (signal: AbortSignal) => Promise<T>): Promise<{ value: T } | undefined> {
    if (busy.value) return undefined
    const { signal } = (current = new AbortController())
    busy.value = true
    try {
      return { value: await command(signal) }
    } catch (failure) {
      if (signal.aborted) return undefined
      throw failure
    } finally {
      busy.value = false
    }
  }

  return { busy, run, cancel: () => current?.abort() }
}
