"""One run of a pass over one segment, of which nothing is stored."""
