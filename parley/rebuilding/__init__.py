"""Makes the tables anew from the log: beside the live ones, to swap them in or to compare them."""
