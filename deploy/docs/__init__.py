"""What makes the documentation: pages and descriptions that code can write."""
