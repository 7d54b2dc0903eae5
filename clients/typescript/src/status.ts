/**
 * - `idle`: no stream is followed, and no connection is held.
 * - `connecting`: the streams were asked for, and the server has not answered yet.
 * - `live`: connected; changes arrive as they happen.
 * - `reconnecting`: the connection was lost or refused; it is tried again by itself.
 * - `offline`: as reconnecting, and the browser knows of no network.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'offline'

/** The status of a connection that is down. */
export function lostStatus(): ConnectionStatus {
  return navigator.onLine ? 'reconnecting' : 'offline'
}
