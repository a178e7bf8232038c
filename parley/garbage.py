"""How often Python looks for cycles of objects: seldom, in processes that hold many."""

import gc
from typing import Final

# New objects until they are looked through for cycles, and how often the older ones are with them.
COLLECT_AFTER: Final = (50_000, 50, 100)
# Of one that holds thousands of records at a time: most of what a batch makes lasts as long as it.
COLLECT_AFTER_BATCHES: Final = (400_000, 50, 100)


def collect_seldom(after: tuple[int, int, int]) -> None:
    """Spare what the start has made: it stays anyway, and looking through it took a quarter of
    the gateway's time and the worst of its latencies. Few cycles arise in a service, and those
    are still found.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*after)
