import { nextTick, watch } from 'vue'
import type { Ref } from 'vue'
import type { Post } from '../api/types'

/** Passes the focus of a card that goes to the card that takes its place, whoever deleted the post. */
export function useKeptFocus(posts: Readonly<Ref<readonly Post[]>>): void {
  watch(posts, (now, before) => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-post]')
    const at = before.findIndex(({ id }) => id === focused?.dataset.post)
    const list = focused?.closest('ol')
    const kept = new Set(now.map(({ id }) => id))
    if (!list || at < 0 || kept.has(focused?.dataset.post ?? '')) return
    const next = [...before.slice(at), ...before.slice(0, at).reverse()].find(({ id }) => kept.has(id))
    void nextTick(() => {
      const card = next && list.querySelector<HTMLElement>(`[data-post="${CSS.escape(next.id)}"]`)
      ;(card ?? document.getElementById('main'))?.focus({ preventScroll: true })
    })
  })
}
