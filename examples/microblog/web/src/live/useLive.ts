import { StreamClient } from '@feedmill/streams'
import { onScopeDispose, shallowRef } from 'vue'
import { request } from '../api/client'
import type { LiveState, Station } from './types'

/**
 * Follows what the server tells of itself, while the calling scope lives. It has a
 * connection of its own, because it is a router of its own: the page that watches
 * does not count among what it watches.
 */
export function useLive() {
  const state = shallowRef<LiveState>()
  const client = new StreamClient('/api/live')
  const connection = shallowRef(client.status)
  client.onStatus((status) => {
    connection.value = status
  })
  onScopeDispose(client.subscribe<LiveState>('live', { state: (value) => (state.value = value), problem: () => {} }))

  const stations = shallowRef<Station[]>([])
  request<Station[]>('GET', '/api/live/stations').then(
    (known) => (stations.value = known),
    () => {}, // the page says that it waits
  )
  return { state, connection, stations }
}
