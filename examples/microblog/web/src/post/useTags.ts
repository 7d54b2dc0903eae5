import { onScopeDispose, ref, watch } from 'vue'
import type { Ref } from 'vue'
import { readTags } from '../api/client'

/** The time without typing after which the server is asked, in milliseconds. */
const pause = 150

/** Returns the tags that a post with this content would have, as the server reads them. */
export function useTags(content: () => string): Readonly<Ref<readonly string[]>> {
  const tags = ref<readonly string[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking = new AbortController()

  async function ask(text: string, signal: AbortSignal) {
    try {
      tags.value = (await readTags(text, signal)).tags
    } catch {
      // They are a preview. Without the server there is none.
      if (!signal.aborted) tags.value = []
    }
  }

  function cancel() {
    clearTimeout(timer)
    asking.abort()
  }

  watch(
    content,
    (text) => {
      cancel()
      asking = new AbortController()
      const { signal } = asking
      if (/[#＃]/.test(text)) timer = setTimeout(() => void ask(text, signal), pause)
      else tags.value = []
    },
    { immediate: true },
  )
  onScopeDispose(cancel)
  return tags
}
