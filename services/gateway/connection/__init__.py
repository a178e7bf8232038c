"""The gateway over WebSocket: one connection, and all of them."""
