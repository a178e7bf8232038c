"""Makes a prompt of a template and a transcript: the same text always, what was said as data."""
