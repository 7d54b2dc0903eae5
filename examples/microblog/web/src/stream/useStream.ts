import { onScopeDispose, ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter, Ref, ShallowRef } from 'vue'
import { request } from '../api/client'
import { ApiError } from '../api/error'
import { backoffDelay } from './backoff'
import type { ConnectionStatus } from './status'

export interface Stream<T> {
  /** The last state that arrived; it stays while the connection is down. */
  state: Readonly<ShallowRef<T | undefined>>
  status: Readonly<Ref<ConnectionStatus>>
  /** Why the stream ended or is down, where that is known. */
  error: Readonly<ShallowRef<ApiError | undefined>>
}

/**
 * Follows a resource over Server-Sent Events for as long as the calling scope
 * lives, with one EventSource at a time. A changed URL starts afresh.
 *
 * The browser reconnects by itself after a cut connection. It gives up on an
 * error status and does not tell which; then a plain GET finds out: a 4xx ends
 * the stream, anything else is tried again with backoff.
 */
export function useStream<T>(url: MaybeRefOrGetter<string>): Stream<T> {
  const state = shallowRef<T>()
  const status = ref<ConnectionStatus>('connecting')
  const error = shallowRef<ApiError>()

  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let probe: AbortController | undefined
  // Two counts, so that a long outage does not delay the return once it is over.
  let failedProbes = 0
  let refusedStreams = 0

  function stop() {
    source?.close()
    source = undefined
    clearTimeout(timer)
    probe?.abort()
    probe = undefined
  }

  function open() {
    stop()
    const opened = new EventSource(toValue(url))
    source = opened
    opened.addEventListener('open', () => {
      status.value = 'live'
    })
    opened.addEventListener('data', (event) => receive(event.data))
    opened.addEventListener('error', () => {
      status.value = lostStatus()
      if (opened.readyState === EventSource.CLOSED) void findOut()
    })
  }

  function receive(json: string) {
    try {
      state.value = JSON.parse(json) as T
    } catch {
      error.value = new ApiError(0, 'The server sent something that is not JSON.')
      return
    }
    // Only now: a server that accepts and then fails must not be hammered.
    refusedStreams = 0
    status.value = 'live'
    error.value = undefined
  }

  /** Asks by a plain GET why the browser gave up, and acts on the answer. */
  async function findOut() {
    const asking = new AbortController()
    probe = asking
    try {
      const answer = await request<T>('GET', toValue(url), { signal: asking.signal })
      if (asking.signal.aborted) return
      state.value = answer
      error.value = undefined
      failedProbes = 0
      retry(open, ++refusedStreams)
    } catch (failure) {
      if (asking.signal.aborted || !(failure instanceof ApiError)) return
      error.value = failure
      if (isFinal(failure.status)) {
        status.value = 'ended'
        return
      }
      status.value = lostStatus()
      retry(findOut, ++failedProbes)
    }
  }

  function retry(action: () => void, attempt: number) {
    timer = setTimeout(action, backoffDelay(attempt))
  }

  function reopen() {
    if (status.value !== 'ended') open()
  }

  function restore(event: PageTransitionEvent) {
    if (event.persisted) reopen()
  }

  watch(
    () => toValue(url),
    () => {
      state.value = undefined
      error.value = undefined
      status.value = 'connecting'
      failedProbes = 0
      refusedStreams = 0
      open()
    },
    { immediate: true },
  )

  // The browser's word that the network came or went is only a hint (a server
  // on this machine is reached without any): a new connection shows the truth.
  window.addEventListener('online', reopen)
  window.addEventListener('offline', reopen)
  // An open EventSource keeps a page out of the back/forward cache.
  window.addEventListener('pagehide', stop)
  window.addEventListener('pageshow', restore)
  onScopeDispose(() => {
    stop()
    window.removeEventListener('online', reopen)
    window.removeEventListener('offline', reopen)
    window.removeEventListener('pagehide', stop)
    window.removeEventListener('pageshow', restore)
  })

  return { state, status, error }
}

function lostStatus(): ConnectionStatus {
  return navigator.onLine ? 'reconnecting' : 'offline'
}

/** A 4xx is the server's last word, except those that mean "not now". */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status)
}
