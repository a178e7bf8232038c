"""Keeps what is not acknowledged in files, so that a killed program loses nothing."""
