import { onBeforeUnmount, onMounted, readonly, ref } from 'vue'
import type { Ref, ShallowRef } from 'vue'

/** Reports whether the window is scrolled so far that it shows only what is below an element. */
export function useBelow(element: Readonly<ShallowRef<HTMLElement | null>>): Readonly<Ref<boolean>> {
  const below = ref(false)
  let observer: IntersectionObserver | undefined
  onMounted(() => {
    observer = new IntersectionObserver(([entry]) => {
      below.value = !!entry && !entry.isIntersecting && entry.boundingClientRect.top < 0
    })
    if (element.value) observer.observe(element.value)
  })
  onBeforeUnmount(() => observer?.disconnect())
  return readonly(below)
}
