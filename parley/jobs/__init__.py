"""What operators do with analysis jobs: begin them anew, or cancel them."""

from parley.jobs.changing import CHANGEABLE, REOPENABLE, cancel, reopen

__all__ = ["CHANGEABLE", "REOPENABLE", "cancel", "reopen"]
