"""How often somebody may: token buckets, which fill by themselves and hold no clock."""

from collections import OrderedDict
from typing import Final

ROUNDING_S: Final = 1e-9


class TokenBucket:
    """`burst` tokens at once, and `rate_per_second` more every second; a rate of 0 is no limit.

    All that is kept is the moment at which the bucket will be full again.
    """

    __slots__ = ("_fills_in_s", "_full_at_s", "_token_s")

    def __init__(self, rate_per_second: float, burst: int) -> None:
        if rate_per_second < 0 or burst < 1:
            raise ValueError("a bucket needs a rate of at least 0 and a burst of at least 1")
        # Seconds that one token takes, and that all of them take.
        self._token_s = 1 / rate_per_second if rate_per_second else 0.0
        self._fills_in_s = burst * self._token_s
        self._full_at_s = float("-inf")

    def take(self, now_s: float, count: int = 1) -> float:
        """Take `count` tokens: 0.0 when taken, otherwise seconds until they could be.

        More than a burst is taken from a full bucket, which then fills for that much longer.
        """
        takes_s = count * self._token_s
        if self._full_at_s <= now_s:
            # It is full, which is the most that can be asked of it.
            self._full_at_s = now_s + takes_s
            return 0.0
        needed_s = min(takes_s, self._fills_in_s)
        wait_s = self._full_at_s + needed_s - self._fills_in_s - now_s
        # Who waited as long as it was told is served, whatever the sum of the two was rounded to.
        if wait_s > ROUNDING_S:
            return wait_s
        self._full_at_s += takes_s
        return 0.0

    def is_full(self, now_s: float) -> bool:
        """Whether it is as good as a new one."""
        return self._full_at_s <= now_s


class RateBook:
    """A bucket for each of many users; before another one comes, the quiet ones are forgotten.

    With more than `max_keys` active at once the one that asked longest ago is forgotten: it
    begins again with a whole burst, which is the least that can be given away.
    """

    def __init__(self, rate_per_second: float, burst: int, max_keys: int = 100_000) -> None:
        self._rate_per_second = rate_per_second
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        # A wrong rate is told at the start, not at the first user.
        TokenBucket(rate_per_second, burst)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now_s: float, count: int = 1) -> float:
        """As `TokenBucket.take`, from this user's bucket."""
        if self._rate_per_second == 0:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._add(key, now_s)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now_s, count)

    def _add(self, key: str, now_s: float) -> TokenBucket:
        self._forget_quiet(now_s)
        if len(self._buckets) >= self._max_keys:
            self._buckets.popitem(last=False)
        bucket = self._buckets[key] = TokenBucket(self._rate_per_second, self._burst)
        return bucket

    def _forget_quiet(self, now_s: float) -> None:
        # Whoever asked longest ago comes first; one who took much keeps the others a little longer.
        while self._buckets:
            key, oldest = next(iter(self._buckets.items()))
            if not oldest.is_full(now_s):
                return
            del self._buckets[key]
