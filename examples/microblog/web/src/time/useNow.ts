import { onScopeDispose, readonly, ref } from 'vue'
import type { Ref } from 'vue'

const tick = 10_000
const now = ref(Date.now())
let users = 0
let timer: ReturnType<typeof setInterval> | undefined

/** Returns the current time, which advances. All users share one timer, which ends with the last of them. */
export function useNow(): Readonly<Ref<number>> {
  now.value = Date.now()
  if (users++ === 0) timer = setInterval(() => (now.value = Date.now()), tick)
  onScopeDispose(() => {
    if (--users === 0) clearInterval(timer)
  })
  return readonly(now)
}
