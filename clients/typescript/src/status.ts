/**
 * - `idle`: no stream is followed, or the server refuses all of them. No connection is held.
 * - `connecting`: the streams were requested, and nothing has come yet.
 * - `live`: connected; changes arrive as they happen.
 * - `reconnecting`: the connection was lost or refused, and is tried again.
 * - `offline`: as reconnecting, and the browser reports that there is no network.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'offline'

/** Returns the status of a lost connection. */
export function lostStatus(): ConnectionStatus {
  return navigator.onLine ? 'reconnecting' : 'offline'
}
