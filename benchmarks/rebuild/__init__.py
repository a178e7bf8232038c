"""Measures `parley rebuild`: how fast the log becomes tables again, and what memory that takes."""
