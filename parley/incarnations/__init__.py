"""New incarnations of topics: copied with more partitions, or mended after a loss."""
