"""The sealer's tables: what is saved, recalled and restored."""

from services.sealer.store.recalling import histories
from services.sealer.store.restoring import snapshot
from services.sealer.store.saving import save

__all__ = ["histories", "save", "snapshot"]
