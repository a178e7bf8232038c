"""Parameters of prompt passes: two of Parley's own, and those that the endpoint is handed as is."""

from typing import Final

from parley.passes.definition import PassDefinition

TRANSCRIPT_BYTES: Final = "transcript_bytes"
OUTPUT_TOKENS: Final = "max_output_tokens"
OWN: Final = frozenset({TRANSCRIPT_BYTES, OUTPUT_TOKENS})
# No text has more tokens than bytes, so this fits into a context of 128,000 tokens whatever it is.
DEFAULT_TRANSCRIPT_BYTES: Final = 100_000
LEAST_TRANSCRIPT_BYTES: Final = 2_000
MOST_TRANSCRIPT_BYTES: Final = 4_000_000
DEFAULT_OUTPUT_TOKENS: Final = 2_000
MOST_OUTPUT_TOKENS: Final = 100_000
# What a request is, is not for a pass to say.
RESERVED: Final = frozenset(
    {
        *("model", "messages", "response_format", "stream", "stream_options", "n", "tools"),
        *("tool_choice", "functions", "function_call", "max_tokens", "max_completion_tokens"),
    }
)


class InvalidPrompt(ValueError):
    """A definition that no prompt can be made of; it says what is wrong with it."""


class InvalidParameters(InvalidPrompt):
    """Parameters that no request is made of."""


def check_parameters(definition: PassDefinition) -> None:
    """Raises InvalidParameters. What the endpoint thinks of its own parameters only it can say."""
    transcript_bytes(definition)
    output_tokens(definition)
    if reserved := RESERVED & set(definition.parameters):
        raise InvalidParameters(
            f"not for a pass to set: {', '.join(sorted(reserved))} (the longest answer is "
            f"{OUTPUT_TOKENS}, the model a field of its own)"
        )


def transcript_bytes(definition: PassDefinition) -> int:
    """How long a transcript may be; raises InvalidParameters."""
    bounds = LEAST_TRANSCRIPT_BYTES, MOST_TRANSCRIPT_BYTES
    return _int(definition, TRANSCRIPT_BYTES, DEFAULT_TRANSCRIPT_BYTES, *bounds)


def output_tokens(definition: PassDefinition) -> int:
    """How long an answer may be; raises InvalidParameters."""
    return _int(definition, OUTPUT_TOKENS, DEFAULT_OUTPUT_TOKENS, 1, MOST_OUTPUT_TOKENS)


def _int(definition: PassDefinition, name: str, default: int, least: int, most: int) -> int:
    wanted = definition.parameters.get(name, default)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not least <= wanted <= most:
        raise InvalidParameters(f"{name} is a whole number from {least:,} to {most:,}")
    return wanted
