"""Made-up conversations through a running gateway, as clients would send them."""
