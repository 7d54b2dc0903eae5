import { toValue, watchEffect } from 'vue'
import type { MaybeRefOrGetter } from 'vue'

/** Names the browser's tab after the page. */
export function usePageTitle(title: MaybeRefOrGetter<string>): void {
  watchEffect(() => {
    const text = toValue(title)
    document.title = text ? `${text} · Microblog` : 'Microblog'
  })
}
