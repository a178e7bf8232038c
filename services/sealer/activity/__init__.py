"""A live view of what is said: counted from the log's newest minutes, kept in memory only."""
