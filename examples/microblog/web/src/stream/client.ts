import { StreamClient } from '@feedmill/streams'
import { readonly, shallowRef } from 'vue'

/** The only connection of the window: a browser allows six HTTP/1.1 connections to a host, over all windows. */
export const streams = new StreamClient('/api/streams')

const status = shallowRef(streams.status)
streams.onStatus((changed) => {
  status.value = changed
})

/** The status of the window's connection. */
export const connectionStatus = readonly(status)
