"""The analyzer: jobs, backfills, and how long a verdict takes."""
