"""The sealer's tables: what is saved, recalled and restored."""

from services.sealer.store.recalling import histories, holders
from services.sealer.store.restoring import outline, remembered, snapshot
from services.sealer.store.saving import save

__all__ = ["histories", "holders", "outline", "remembered", "save", "snapshot"]
