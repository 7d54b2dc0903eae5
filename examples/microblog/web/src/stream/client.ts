import { StreamClient } from '@feedmill/streams'
import { readonly, shallowRef } from 'vue'

/** The window's one connection: a browser gives HTTP/1.1 six per host, over all its windows. */
export const streams = new StreamClient('/api/streams')

const status = shallowRef(streams.status)
streams.onStatus((changed) => {
  status.value = changed
})

/** How the window's connection is. */
export const connectionStatus = readonly(status)
