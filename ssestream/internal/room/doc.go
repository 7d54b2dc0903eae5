// Package room keeps the state of a key for the clients that follow it.
//
// A client has to see the state as of its connect or later. A room's state may be older than that, however fresh:
// a change is in the store before its message is here. So a client waits for a load that starts after it joined.
// Clients that join while a load runs share the one that follows it.
//
// Loads are numbered by their start. A mark asks for a load that starts later; all marks before that start ask for
// the same one. One load of a room runs at a time, so its states follow each other as the store's do.
//
// A client holds no queue and no bytes, only which states its peer has. A room wakes it, and whoever writes for it
// asks what is due (response.Source). A slow client skips states in between, and holds the one that is written to it.
package room
