"""WebSocket and REST in, live frames out."""
