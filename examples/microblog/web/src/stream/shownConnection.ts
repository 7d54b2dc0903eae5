import { computed, onScopeDispose, shallowRef } from 'vue'
import type { Ref } from 'vue'
import type { ConnectionStatus } from './status'

const shown = shallowRef<Readonly<Ref<ConnectionStatus>>>()

/** The status that the navigation bar shows; undefined on a page with no stream. */
export const shownStatus = computed(() => shown.value?.value)

/** Shows the status of the calling page's stream for as long as that page lives. */
export function showConnection(status: Readonly<Ref<ConnectionStatus>>): void {
  shown.value = status
  onScopeDispose(() => {
    // The next page is set up before this one is torn down.
    if (shown.value === status) shown.value = undefined
  })
}
