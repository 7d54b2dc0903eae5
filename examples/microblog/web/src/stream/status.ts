/**
 * connecting: nothing came yet. live: changes arrive. reconnecting: cut off,
 * trying again. offline: cut off, and the browser knows of no network.
 * ended: the server refused for good; nothing more will come.
 */
export type ConnectionStatus = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'ended'
