"""Who works on what: the partitions of every consumer by the worker that owns them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from parley.cli.facts import PartitionFacts

# Enough of a random id to tell workers apart.
SHORT: Final = 8


def workers(partitions: Iterable[PartitionFacts]) -> list[dict[str, Any]]:
    """Each consumer's workers; what nobody has claimed comes with no worker."""
    owned: dict[tuple[str, str], list[PartitionFacts]] = {}
    for one in partitions:
        owned.setdefault((one.consumer, one.owner), []).append(one)
    return [
        {
            "consumer": consumer,
            "worker": short(owner) or "nobody",
            "worker_id": owner or None,
            "partitions": ranges([one.partition for one in some]),
            "lag": sum(one.lag for one in some),
            "seconds_since_move": min(
                (one.seconds_since_move for one in some if one.has_fence), default=None
            ),
        }
        for (consumer, owner), some in sorted(owned.items())
    ]


def sealer_rows(
    marks: Sequence[dict[str, Any]], partitions: Iterable[PartitionFacts], topic: str
) -> list[dict[str, Any]]:
    """The sealer's time and open segments in each partition, beside its lag and its worker."""
    fences = {
        one.partition: one for one in partitions if (one.consumer, one.topic) == ("sealer", topic)
    }
    return [
        {
            **mark,
            "lag": fences[mark["partition"]].lag,
            "worker": short(fences[mark["partition"]].owner),
        }
        for mark in marks
        if mark["partition"] in fences
    ]


def short(owner: str) -> str:
    """An owner's id as people are shown it."""
    return owner[:SHORT]


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as people write them: 0-3, 5."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][-1:] = [runs[-1][-1], number] if len(runs[-1]) == 1 else [number]
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
