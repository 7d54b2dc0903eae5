import { toValue, watchEffect } from 'vue'
import type { MaybeRefOrGetter } from 'vue'

/** Sets the title of the browser's tab. */
export function usePageTitle(title: MaybeRefOrGetter<string>): void {
  watchEffect(() => {
    const text = toValue(title)
    document.title = text ? `${text} · Microblog` : 'Microblog'
  })
}
