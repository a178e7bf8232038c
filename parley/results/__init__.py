"""What the passes found out, as it is read: by the command, and by the gateway for its users."""
