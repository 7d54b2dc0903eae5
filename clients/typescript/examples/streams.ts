import { StreamClient } from '@feedmill/streams'

/** The client of the page. */
export const streams = new StreamClient('/streams')

export async function logIn(): Promise<void> {
  await fetch('/login')
  streams.reconnect()
}
