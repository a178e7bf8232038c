"""Settings as people read them: what each expects, what is in force, and from where."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from parley.settings import Settings, source_of, variable_of

MASK: Final = "********"
_WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    SecretStr: "text, a secret",
    timedelta: "a duration, as `PT90M` or seconds",
}
_BOUNDS: Final = (
    (Ge, "ge", "at least"),
    (Gt, "gt", "above"),
    (Le, "le", "at most"),
    (Lt, "lt", "below"),
)
_Duration: Final = TypeAdapter(timedelta)
_Object: Final = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting; of a secret it is told only whether it is set."""

    variable: str
    value: str
    source: str
    default: str
    expected: str
    description: str


def shown(
    settings: type[Settings], values: Settings, without: type[Settings] | None = None
) -> Iterator[ShownSetting]:
    """The fields of `settings` that `without` does not have, in their order."""
    for name, field in settings.model_fields.items():
        if without is not None and name in without.model_fields:
            continue
        yield ShownSetting(
            variable=variable_of(settings, name),
            value=text_of(getattr(values, name)),
            source=source_of(settings, name),
            default=text_of(field.get_default(call_default_factory=True)),
            expected=expected(field),
            description=field.description or "",
        )


def text_of(value: object) -> str:
    """A value as one would write it into the environment; empty for none, masked for secrets."""
    if isinstance(value, tuple | list):
        return ",".join(map(text_of, value))
    if isinstance(value, dict):
        return _Object.dump_json(value).decode() if value else ""
    if isinstance(value, timedelta):
        return str(_Duration.dump_python(value, mode="json"))
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return MASK if isinstance(value, SecretStr) else str(value)


def expected(field: FieldInfo) -> str:
    """What may be written, in words."""
    kind = _without_none(field.annotation)
    limits = [
        f"{word} {text_of(getattr(one, attribute))}"
        for one in field.metadata
        for bound, attribute, word in _BOUNDS
        if isinstance(one, bound)
    ]
    return ", ".join((_word(kind), *limits))


def _word(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    origin = get_origin(kind)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if origin is dict:
        return "JSON: an object"
    if origin is tuple:
        return "texts, comma-separated"
    return (
        "a path"
        if getattr(kind, "__name__", "") == "Path"
        else str(getattr(kind, "__name__", kind))
    )


def _without_none(annotation: Any) -> Any:
    """What an optional field holds where it holds something, and without its own validators."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not NoneType)
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
