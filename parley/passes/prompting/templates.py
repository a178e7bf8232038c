"""Checks and fills prompt templates: a part of Jinja2 so small that filling one must end soon.

What a template may use is listed, rather than what it may not: text, values, conditions, a loop
over a list that is written out, and the filters named below. There are no calls, attributes,
assignments, macros and includes, so the longest text grows with the template's length alone.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from parley.passes.prompting.parameters import InvalidPrompt

MAX_TEMPLATE_CHARACTERS: Final = 20_000
MAX_LOOP_ITEMS: Final = 100
FILTERS: Final = frozenset({"default", "lower", "trim", "upper"})
TRANSCRIPT: Final = "transcript"
FACTS: Final = frozenset(
    {"message_count", "shown_count", "left_out_count", "started_at", "ended_at"}
)

_NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Filter, nodes.For, nodes.List, nodes.Tuple),
)


class InvalidTemplate(InvalidPrompt):
    """A prompt's template that is refused: it names the template, and what is wrong with it."""


def check_system(source: str) -> None:
    """Raises InvalidTemplate. What was said never stands where the operator's own rules stand."""
    _parsed("system", source, FACTS)


def check_user(source: str) -> None:
    """Raises InvalidTemplate. The transcript stands in it once, whole and under no condition."""
    tree = _parsed("user", source, FACTS | {TRANSCRIPT})
    named = sum(name.name == TRANSCRIPT for name in tree.find_all(nodes.Name))
    shown = [
        node
        for output in tree.body
        if isinstance(output, nodes.Output)
        for node in output.nodes
        if isinstance(node, nodes.Name) and node.name == TRANSCRIPT
    ]
    if (named, len(shown)) != (1, 1):
        raise InvalidTemplate(
            "user: {{ transcript }} has to stand in it exactly once, without a filter and outside "
            "of conditions and loops"
        )


def fill(source: str, values: Mapping[str, str | int]) -> str:
    """The text of a template that was checked; raises InvalidTemplate where values do not fit."""
    try:
        return _compiled(source).render(values).strip()
    except (TemplateError, TypeError, ValueError, AttributeError) as error:
        raise InvalidTemplate(f"cannot be filled: {error}") from error


@cache
def _sandbox() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        # What comes out is no page of a browser: nothing is escaped.
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        newline_sequence="\n",
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _sandbox().from_string(source)


@lru_cache(maxsize=256)
def _parsed(which: str, source: str, names: frozenset[str]) -> nodes.Template:
    if len(source) > MAX_TEMPLATE_CHARACTERS:
        raise InvalidTemplate(f"{which}: longer than {MAX_TEMPLATE_CHARACTERS:,} characters")
    try:
        tree = _sandbox().parse(source)
        for node in tree.find_all(nodes.Node):
            _check_node(which, node)
        _check_names(which, tree, names)
        _compiled(source)
    except InvalidTemplate:
        raise
    except TemplateError as error:
        raise InvalidTemplate(f"{which}: {error}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise InvalidTemplate(f"{which}: no template that can be read") from error
    return tree


def _check_node(which: str, node: nodes.Node) -> None:
    line = f"{which}: line {node.lineno}"
    if not isinstance(node, _NODES):
        raise InvalidTemplate(f"{line}: {type(node).__name__} is not among what a template may use")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        known = ", ".join(sorted(FILTERS))
        raise InvalidTemplate(f"{line}: there is no filter {node.name}, only {known}")
    if isinstance(node, nodes.For):
        _check_loop(line, node)


def _check_loop(line: str, loop: nodes.For) -> None:
    if not isinstance(loop.iter, nodes.List) or len(loop.iter.items) > MAX_LOOP_ITEMS:
        raise InvalidTemplate(
            f"{line}: a loop goes over a list that is written out, of {MAX_LOOP_ITEMS} at most"
        )
    if loop.recursive or not isinstance(loop.target, nodes.Name):
        raise InvalidTemplate(f"{line}: a loop has one name, and is not recursive")
    if next(loop.find_all(nodes.For), None) is not None:
        raise InvalidTemplate(f"{line}: a loop within a loop")


def _check_names(which: str, tree: nodes.Template, names: frozenset[str]) -> None:
    targets = [loop.target for loop in tree.find_all(nodes.For)]
    own = {target.name for target in targets if isinstance(target, nodes.Name)}
    if clash := own & (FACTS | {TRANSCRIPT}):
        raise InvalidTemplate(f"{which}: a loop's name is taken: {', '.join(sorted(clash))}")
    for name in tree.find_all(nodes.Name):
        if name.name not in names | own:
            known = ", ".join(sorted(names))
            raise InvalidTemplate(f"{which}: there is no {name.name} in it, only {known}")
