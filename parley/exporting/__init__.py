"""What the tables hold, out into a file: one snapshot, streamed, written whole or not at all."""
