"""The pass personal_data: kinds of personal data that were said, and how often; never the values.

Definitions (version 1):
- Every message is searched; `other` are system and tool messages. What is said twice counts twice,
  and no character belongs to two findings: of those that overlap the kind named first here counts.
- `email`: datafog's pattern, unless it is part of a path or names a login (`git@host:path`,
  `ssh://me@host`, `https://host/unit@.service`).
- `iban`: as long as its country's are, with the right check digits.
- `credit_card`: 13 to 19 digits with the prefix of an issuer and the right check digit (Luhn).
- `ssn`: a US social security number, datafog's pattern, in groups with dashes; without them only
  after the words for it.
- `ip_address`: version 4 or 6, and one that can be somebody's: private, local, multicast and
  reserved ones do not count. Four numbers of which the first two are below 10 are taken for a
  version of software.
- `date_of_birth`: a date after words that speak of birth, in English and a dozen other languages.
- `phone`: datafog's pattern, in groups or with a country's +; any 7 to 15 digits after words for a
  telephone.
- Words that speak of a kind count within 40 characters before it.
- Not looked for, since patterns find more else than these: names, addresses, postal codes.

Of a message the first 200,000 characters are searched, of the conversation the first 2,000,000;
`cut_message_count` says how many messages were shortened by that or left out. Digits of other
scripts and full-width forms are read as plain ones; marks of direction are passed over.
"""

import re
import unicodedata
from collections import Counter
from functools import cache
from importlib.metadata import version
from typing import Final

from parley.events import Role
from parley.passes.code import CodePass, Output, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.passes import personal_kinds
from services.analyzer.passes.personal_kinds import KINDS, kinds, matches
from services.analyzer.passes.reading import Reading, read
from services.analyzer.passes.shapes import COUNT, fields

MESSAGE_CHARACTERS: Final = 200_000
TEXT_CHARACTERS: Final = 2_000_000
WINDOW: Final = 2_000
MARGIN: Final = 400
SIDES: Final = (Role.USER.value, Role.ASSISTANT.value, "other")
MAY_HOLD_ANY: Final = re.compile(r"[@\d]")

_COUNTS: Final = fields(**dict.fromkeys(KINDS, COUNT))
SCHEMA: Final = fields(
    total=_COUNTS,
    roles=fields(**dict.fromkeys(SIDES, _COUNTS)),
    finding_count=COUNT,
    message_count=COUNT,
    cut_message_count=COUNT,
)


def run(segment: SegmentText) -> Output:
    """The kinds of personal data in a segment, and how often each was said on each side."""
    reading = read(
        (one.content.text for one in segment.messages), MESSAGE_CHARACTERS, TEXT_CHARACTERS
    )
    roles = {side: Counter[str]() for side in SIDES}
    message_count = 0
    for message, part in zip(segment.messages, reading.parts, strict=False):
        counts = _findings(part)
        roles[message.role.value if message.role.value in SIDES else "other"].update(counts)
        message_count += counts.total() > 0
    return _told(roles, message_count, reading)


def _findings(text: str) -> Counter[str]:
    """How often each kind is in the text."""
    counts: Counter[str] = Counter()
    if not MAY_HOLD_ANY.search(text):
        return counts
    plain = _plain(text)
    taken = bytearray(len(plain))
    for kind in kinds():
        for match in matches(kind.pattern, plain, WINDOW, MARGIN):
            start, end = match.start(), kind.end_of(plain, match)
            if end is not None and taken.find(1, start, end) < 0:
                taken[start:end] = b"\x01" * (end - start)
                counts[kind.name] += 1
    return counts


def _plain(text: str) -> str:
    """The text with plain digits and letters, and without marks of direction."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_plain_characters())


@cache
def _plain_characters() -> dict[int, str | None]:
    """Digits of all scripts by their value; marks that are not seen are dropped."""
    characters = map(chr, range(0x10FFFF + 1))
    table: dict[int, str | None] = {}
    for one in characters:
        category = unicodedata.category(one)
        if category == "Nd":
            table[ord(one)] = str(unicodedata.digit(one))
        elif category == "Cf":
            table[ord(one)] = None
    return table


def _told(roles: dict[str, Counter[str]], message_count: int, reading: Reading) -> Output:
    total = sum(roles.values(), Counter[str]())
    return {
        "total": _by_kind(total),
        "roles": {side: _by_kind(counts) for side, counts in roles.items()},
        "finding_count": total.total(),
        "message_count": message_count,
        "cut_message_count": reading.cut_count,
    }


def _by_kind(counts: Counter[str]) -> Output:
    return {kind: counts[kind] for kind in KINDS}


PERSONAL_DATA: Final = CodePass(
    PassDefinition(
        name="personal_data",
        version=1,
        category="privacy",
        description="Kinds of personal data that were said and how often, never the values.",
        kind=PassKind.CODE,
        output_schema=SCHEMA,
        parameters={
            "datafog": version("datafog"),
            "context_characters": personal_kinds.CONTEXT_CHARACTERS,
            "phone_digits": [*personal_kinds.PHONE_DIGITS],
            "phone_words": personal_kinds.PHONE_WORDS,
            "birth_words": personal_kinds.BIRTH_WORDS,
            "ssn_words": personal_kinds.SSN_WORDS,
            "iban": personal_kinds.IBAN,
            "iban_lengths": personal_kinds.IBAN_LENGTHS,
            "credit_card": personal_kinds.CREDIT_CARD,
            "issuers": [[first, last] for first, last in personal_kinds.ISSUERS],
            "ipv4": personal_kinds.IPV4,
            "ipv6": personal_kinds.IPV6,
            "nobodys": personal_kinds.NOBODYS,
            "somebodys_v6": personal_kinds.SOMEBODYS_V6,
            "documentation_v6": personal_kinds.DOCUMENTATION_V6,
            "version_below": personal_kinds.VERSION_BELOW,
            "dates": personal_kinds.DATES,
            "any_number": personal_kinds.ANY_NUMBER,
            "message_characters": MESSAGE_CHARACTERS,
            "conversation_characters": TEXT_CHARACTERS,
            "window": WINDOW,
            "margin": MARGIN,
        },
    ),
    run,
)
