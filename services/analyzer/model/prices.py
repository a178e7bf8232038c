"""What calls cost, by the prices that an operator sets or by those that genai-prices ships.

That package brings its prices along, and fetches none unless it is told to, which nobody does here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call took; cached tokens are among those that went in, and cheaper."""

    input: int
    output: int
    cached: int = 0


class Prices:
    """Prices of one endpoint's models: an operator's come first, per million tokens in and out."""

    def __init__(self, own: Mapping[str, tuple[float, float]], base_url: str) -> None:
        self._own = own
        self._base_url = base_url

    def knows(self, model: str) -> bool:
        """Whether there is a price of the model, so that its cost and budgets mean something."""
        return self._usd(model, Tokens(1, 1)) is not None

    def micro_usd(self, model: str, tokens: Tokens) -> int:
        """Millionths of a US dollar, rounded up; 0 for a model that nobody knows a price of."""
        usd = self._usd(model, tokens)
        return 0 if usd is None else math.ceil(usd * _MICRO)

    def _usd(self, model: str, tokens: Tokens) -> Decimal | None:
        if (own := self._own.get(model)) is not None:
            per_input, per_output = (Decimal(str(one)) for one in own)
            return (per_input * tokens.input + per_output * tokens.output) / _MICRO
        usage = PricedUsage(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cached,
        )
        try:
            return calc_price(usage, model, provider_api_url=self._base_url).total_price
        except LookupError:
            return _by_name(usage, model)


def _by_name(usage: PricedUsage, model: str) -> Decimal | None:
    """As whoever made the model sells it: the endpoint may be a gateway in front of it."""
    try:
        return calc_price(usage, model).total_price
    except LookupError:
        return None
