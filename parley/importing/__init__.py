"""Old conversations into the log: read and checked whole, sorted, published, followed to the end.

The same file gives the same ids, so that a second import, or one that goes on after an
interruption, adds nothing twice.
"""
