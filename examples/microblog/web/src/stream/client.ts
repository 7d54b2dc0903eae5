import { StreamClient } from '@feedmill/streams'
import type { ConnectionStatus, StreamClientOptions } from '@feedmill/streams'
import { computed, hasInjectionContext, inject, readonly, shallowReactive, shallowRef } from 'vue'
import type { ComputedRef, InjectionKey, Ref } from 'vue'
import type { ApiError } from '../api/error'

/** A connection and what a page shows of it. */
export interface Connection {
  readonly streams: StreamClient
  readonly status: Readonly<Ref<ConnectionStatus>>
  /** The status of what the page shows: that of the connection, or `outdated` if a stream on it has a problem. */
  readonly pageStatus: ComputedRef<ConnectionStatus | 'outdated'>
  /** Notes the problem of a stream. Returns a function that takes it back. */
  noteProblem(problem: ApiError): () => void
}

/** Opens a connection as soon as something is followed on it. */
export function openConnection(options?: StreamClientOptions): Connection {
  const streams = new StreamClient('/api/streams', options)
  const status = shallowRef(streams.status)
  streams.onStatus((changed) => {
    status.value = changed
  })
  const problems = shallowReactive(new Map<object, ApiError>())
  const pageStatus = computed(() => (status.value === 'live' && problems.size > 0 ? 'outdated' : status.value))
  const noteProblem = (problem: ApiError) => {
    const key = {}
    problems.set(key, problem)
    return () => problems.delete(key)
  }
  return { streams, status: readonly(status), pageStatus, noteProblem }
}

/**
 * The connection of all windows of the browser, because it allows six HTTP/1.1
 * connections to a host. Everybody sees the same.
 */
export const windowConnection = openConnection({ share: 'everybody' })

/** Provided by a part of a page that has a connection of its own. */
export const connectionKey: InjectionKey<Connection> = Symbol('connection')

/** Returns the connection of the calling component, or that of the window. */
export const useConnection = () => (hasInjectionContext() ? inject(connectionKey, windowConnection) : windowConnection)
