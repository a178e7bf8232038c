"""The live view of activity: what is counted, and how anybody reads the latest figures."""
