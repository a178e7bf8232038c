"""What the analyzer counts of its calls to a model."""

from typing import Final

from prometheus_client import Counter, Histogram

CALLS: Final = Counter(
    "parley_analyzer_model_calls_total",
    "Requests to the model's endpoint by how they ended: answered, or why there is no answer.",
    ["outcome"],
)
INVALID: Final = Counter(
    "parley_analyzer_model_invalid_answers_total",
    "Answers that are no valid output, each of which is followed by a repair or a failure.",
    ["reason"],
)
SECONDS: Final = Histogram(
    "parley_analyzer_model_seconds",
    "Seconds that one request to the model's endpoint took, however it ended.",
    buckets=(0.1, 0.3, 1, 2, 5, 10, 20, 30, 60, 120, 300),
)
TOKENS: Final = Counter(
    "parley_analyzer_model_tokens_total",
    "Tokens that models read (input) and wrote (output).",
    ["direction"],
)
COST: Final = Counter(
    "parley_analyzer_model_cost_dollars_total",
    "US dollars that answers cost, as far as the models' prices are known.",
)
