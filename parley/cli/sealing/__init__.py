"""`parley sealing` shows which segments are open; `parley seal` closes a conversation's."""

from parley.cli.sealing.forcing import seal
from parley.cli.sealing.listing import sealing

__all__ = ["seal", "sealing"]
