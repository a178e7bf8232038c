"""Replays topics into tables beside the live ones: as fast as it goes, up to given offsets."""

from parley.log.replay.process import be_replay
from parley.log.replay.replay import Replay

__all__ = ["Replay", "be_replay"]
