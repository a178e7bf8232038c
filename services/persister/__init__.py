"""The log into PostgreSQL."""
