"""Reads files of passes: YAML to definitions and back, and every error with its file and field."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import yaml
from pydantic import ValidationError

from parley.codec import InvalidRecord
from parley.codec.definitions import decode_definition, encode_definition
from parley.errors import UserError
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from parley.passes.file_format import PassDocument, PromptDocument, file_fields
from parley.passes.planning import Wanted
from parley.passes.prompting.prompts import check_prompt
from parley.passes.prompting.templates import InvalidTemplate
from parley.passes.schemas import InvalidSchema, OutputSchema

# With every alias written out; a value takes about as many beside its characters.
MOST_CHARACTERS: Final = 10_000_000
CHARACTERS_A_VALUE: Final = 8

Prompts = dict[tuple[str, int], PromptTemplate]


@dataclass(frozen=True, slots=True)
class _Document:
    """One thing that a file says, and how to name it to a person."""

    place: str
    fields: Mapping[str, Any]

    @property
    def is_prompt(self) -> bool:
        """A document that holds nothing but a prompt gives it to the passes that name it."""
        return self.fields.keys() == {"prompt"}


def parse_passes(
    texts: Mapping[str, str], known_prompts: Iterable[PromptTemplate] = ()
) -> list[Wanted]:
    """The passes of files, by the names of the files; raises UserError.

    A pass may name a version of a prompt that stands in another document, or that is known.
    """
    documents = [one for file, text in texts.items() for one in _documents(file, text)]
    prompts: Prompts = {(one.name, one.version): one for one in known_prompts}
    for one in documents:
        if one.is_prompt:
            written = _validated(PromptDocument, one).prompt
            prompts[written.name, written.version] = written.template()
    return [_wanted(one, prompts) for one in documents if not one.is_prompt]


def to_yaml(definition: PassDefinition, *, is_enabled: bool = True) -> str:
    """A definition as a file that gives the same one again."""
    fields = {**file_fields(definition), **({} if is_enabled else {"enabled": False})}
    text: str = yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


# --- YAML --------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML's plain values, and no name twice: of two the last would count, and nobody would see.

    Nor more values than anybody writes: a few aliases of aliases stand for any number of them.
    """

    def construct_document(self, node: Any) -> Any:
        if _size_of(node, {}) > MOST_CHARACTERS:
            raise yaml.constructor.ConstructorError(
                None, None, "its aliases stand for too much", node.start_mark
            )
        return super().construct_document(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value]
        names = [key.value for key in keys]
        twice = next((key for at, key in enumerate(keys) if key.value in names[:at]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice.value!r} stands here twice", twice.start_mark
            )
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _size_of(node: Any, known: dict[int, int]) -> int:
    """How long it is with its aliases written out; what stands within itself is left to others."""
    size = known.get(id(node))
    if size is None:
        known[id(node)] = 0
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        parts = sum(_size_of(one, known) for one in _parts_of(node))
        size = known[id(node)] = CHARACTERS_A_VALUE + own + parts
    return size


def _parts_of(node: Any) -> Iterable[Any]:
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


def _documents(file: str, text: str) -> Iterator[_Document]:
    try:
        loaded = [one for one in yaml.load_all(text, Loader=_Loader) if one is not None]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{file} is no YAML: {_yaml_fault(error)}.", "Correct it there.") from error
    found = [one for each in loaded for one in (each if isinstance(each, list) else [each])]
    if not found:
        raise UserError(f"{file} holds no pass.", "See `parley passes show NAME -o yaml` for one.")
    for number, fields in enumerate(found, 1):
        place = file if len(found) == 1 else f"{file}, pass {number}"
        if not isinstance(fields, dict):
            raise UserError(f"{place} is no pass.", "Write fields with their values: `name: …`.")
        name = fields.get("name")
        yield _Document(f"{place} ({name})" if isinstance(name, str) else place, fields)


def _yaml_fault(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error) or type(error).__name__


# --- values ------------------------------------------------------------------------------------


def _wanted(document: _Document, prompts: Prompts) -> Wanted:
    written = _validated(PassDocument, document)
    template = None
    if written.prompt is not None:
        key = written.prompt.name, written.prompt.version
        template = written.prompt.template() if written.prompt.is_whole else prompts.get(key)
        if template is None:
            raise _fault(
                document,
                "prompt",
                f"there is no prompt {key[0]} version {key[1]}: write its `system` and `user` "
                "here, or give the file that holds it too",
            )
    definition = written.definition(template)
    _check(document, definition)
    return Wanted(definition, written.enabled)


def _validated(kind: Any, document: _Document) -> Any:
    try:
        return kind.model_validate(document.fields)
    except ValidationError as error:
        faults = [_pydantic_fault(one) for one in error.errors()]
        lines = "\n".join(f"  {field}: {expected}" for field, expected in faults)
        raise UserError(f"{document.place} is no pass:\n{lines}", _HELP) from error


_HELP = "docs/passes.md describes every field."


def _pydantic_fault(error: Any) -> tuple[str, str]:
    field = ".".join(str(one) for one in error["loc"]) or "the pass"
    if error["type"] == "extra_forbidden":
        return field, "there is no such field"
    if error["type"] == "missing":
        return field, "is missing"
    # "Input should be a valid integer" and the like say what was expected.
    expected = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    given = error["input"]
    is_short = isinstance(given, str | int | float | bool) and len(str(given)) <= 40  # noqa: PLR2004
    return field, f"{expected}, not {given!r}" if is_short else expected


def _check(document: _Document, definition: PassDefinition) -> None:
    """What no type says: the schema, the templates, and whether the log takes it."""
    try:
        OutputSchema(definition.output_schema)
    except InvalidSchema as error:
        raise _fault(document, "output_schema", f"should be a JSON Schema: {error}") from error
    if definition.kind is PassKind.PROMPT:
        try:
            check_prompt(definition)
        except InvalidTemplate as error:
            raise _fault(document, "prompt", f"cannot be used: {error}") from error
    try:
        decode_definition(encode_definition(definition))
    except (InvalidRecord, ValueError) as error:
        detail = error.detail if isinstance(error, InvalidRecord) else error
        raise _fault(document, "the pass", f"no record can hold it: {detail}") from error


def _fault(document: _Document, field: str, what: str) -> UserError:
    return UserError(f"{document.place} is no pass:\n  {field}: {what}", _HELP)
