"""The gateway over HTTP: writing, reading, the WebSocket's route and the page to try it."""
