"""The gateway's decisions: which frames are taken, what they become, when a session ends."""
