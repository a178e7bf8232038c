"""Makes frozen values quickly: those of which there is one for every record."""

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import ParamSpec, TypeVar

Fields = ParamSpec("Fields")
Value = TypeVar("Value")


def maker(kind: Callable[Fields, Value]) -> Callable[Fields, Value]:
    """What makes values of a frozen dataclass with slots from all its fields, in their order.

    Its constructor sets each field through `object.__setattr__`, which takes five times as long.
    Here a value is made of the same slots, not frozen yet, and then becomes what it is. What a
    `__post_init__` would do is left out, so there must be none.
    """
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    unfrozen = make_dataclass(f"Unfrozen{kind.__name__}", names, slots=True)

    def make(*values: Fields.args, **no_names: Fields.kwargs) -> Value:
        made = unfrozen(*values)
        made.__class__ = kind
        return made  # type: ignore[no-any-return]

    return make
