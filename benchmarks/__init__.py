"""Measures Parley against its peers: both in one run on one machine, since only ratios travel."""
