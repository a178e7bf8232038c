"""What is behind a Tracker: the desk where callers hand over, and the thread that sends."""
