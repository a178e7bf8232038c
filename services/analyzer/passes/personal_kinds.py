"""What personal data looks like, kind by kind: a pattern, and a check of what it found.

Most patterns find more than they should: numbers of versions, dates of any day. The checks say no
where a rule of the kind (check digits, lengths, ranges) or the words before it do not agree.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, NamedTuple

Match = re.Match[str]

CONTEXT_CHARACTERS: Final = 40
PHONE_DIGITS: Final = (7, 15)
# Kinds in their order: what an earlier one has found a later one does not count again.
KINDS: Final = ("email", "iban", "credit_card", "ssn", "ip_address", "date_of_birth", "phone")

PHONE_WORDS: Final = (
    r"\b(?:tel|phone|telephone|telefon|téléphone|teléfono|telefone|telefono|mobile|mobil|handy"
    r"|cell|cellphone|fax|whatsapp|call me|text me|ring me|reach me)\b"
    "|电话|手机|電話|携帯|전화|тел|هاتف|جوال|טלפון"
)
BIRTH_WORDS: Final = (
    r"\b(?:born|birth|birthday|birthdate|dob|d\.o\.b|geboren|geburtsdatum|geburtstag|née?|naissance"
    r"|nacid[oa]|nacimiento|nascid[oa]|nascimento|nat[oa] il|nascita|geboortedatum)\b"
    "|出生|生日|生年月日|생년월일|родил|рождения|الميلاد|נולד"
)
SSN_WORDS: Final = r"\b(?:ssn|social security)\b"

IBAN: Final = r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])"
IBAN_LENGTHS: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20"
    " EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27"
    " JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15"
    " PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 SV28 TL23 TN24 TR26 UA29"
    " VA22 VG24 XK20"
)
CREDIT_CARD: Final = (
    r"(?<![A-Za-z0-9.,-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{4}([ -])\d{6}\2\d{4,5})(?![A-Za-z0-9]|[.,-]\d)"
)
# By the first six digits: Visa, Mastercard, American Express, Discover, Diners Club, JCB, UnionPay.
ISSUERS: Final = (
    (400000, 499999),
    (510000, 559999),
    (222100, 272099),
    (340000, 349999),
    (370000, 379999),
    (601100, 601199),
    (644000, 659999),
    (300000, 305999),
    (360000, 369999),
    (380000, 399999),
    (352800, 358999),
    (620000, 629999),
)
IPV4: Final = r"(?<![A-Za-z0-9.:-])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9+-]|\.\d)"
IPV6: Final = r"(?<![A-Za-z0-9:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![A-Za-z0-9:.])"
# Nobody's: private, local, documentation, multicast, reserved.
NOBODYS: Final = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.2.0/24"
    " 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
SOMEBODYS_V6: Final = "2000::/3"
DOCUMENTATION_V6: Final = "2001:db8::/32"
VERSION_BELOW: Final = 10
DATES: Final = (
    r"(?<![A-Za-z0-9])(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}"
    r"|(?:19|20)\d{2} ?[./年년-] ?\d{1,2} ?[./月월-] ?\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?[^\W\d_]{3,10}\.?,?\s(?:de\s)?(?:19|20)\d{2})"
    r"(?![A-Za-z0-9])"
)
ANY_NUMBER: Final = r"(?<![A-Za-z0-9])[+(]?\d[\d ./()-]{5,18}\d(?![A-Za-z0-9])"


class Kind(NamedTuple):
    """A pattern, and a check that returns where the finding ends, or None if it is none."""

    name: str
    pattern: re.Pattern[str]
    end_of: Callable[[str, Match], int | None]


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind with its patterns, in the order of KINDS."""
    # Only the patterns are taken: datafog's functions count their calls for its makers, where that
    # is switched on.
    from datafog.processing.text_processing.regex_annotator import (  # noqa: PLC0415
        RegexAnnotator,
    )

    found = RegexAnnotator().patterns
    theirs = {name: re.compile(found[name].pattern, _plain(found[name].flags)) for name in found}
    return (
        Kind("email", theirs["EMAIL"], _email),
        Kind("iban", re.compile(IBAN), _iban),
        Kind("credit_card", re.compile(CREDIT_CARD), _credit_card),
        Kind("ssn", theirs["SSN"], _ssn),
        Kind("ip_address", re.compile(IPV4), _ipv4),
        Kind("ip_address", re.compile(IPV6), _ipv6),
        Kind("date_of_birth", theirs["DOB"], _date_of_birth),
        Kind("date_of_birth", re.compile(DATES), _date_of_birth),
        Kind("phone", theirs["PHONE"], _phone),
        Kind("phone", re.compile(ANY_NUMBER), _number_after_words),
    )


def _plain(flags: int) -> int:
    # A border of a word is then one between a digit and a Chinese sign as well.
    return (flags & ~re.UNICODE) | re.ASCII


def _email(text: str, match: Match) -> int | None:
    start, end = match.span()
    name, _, host = match.group().rpartition("@")
    is_remote_path = re.match(r":\S", text[end : end + 2]) is not None
    is_login = text[max(0, start - 2) : start] == "//"
    is_path = "/" in name or host.startswith(".")
    return None if is_remote_path or is_login or is_path else end


def _iban(text: str, match: Match) -> int | None:
    length = _iban_lengths().get(match.group()[:2].upper())
    if length is None:
        return None
    characters, end = "", match.start()
    while len(characters) < length and end < len(text):
        if text[end].isascii() and text[end].isalnum():
            characters += text[end].upper()
        elif text[end] not in " -" or text[end - 1] in " -":
            return None
        end += 1
    goes_on = text[end : end + 1].isascii() and text[end : end + 1].isalnum()
    return None if len(characters) < length or goes_on or not _is_iban(characters) else end


@cache
def _iban_lengths() -> dict[str, int]:
    return {one[:2]: int(one[2:]) for one in IBAN_LENGTHS.split()}


def _is_iban(characters: str) -> bool:
    """ISO 13616: with the first four at the end, letters as numbers from 10, 1 is left by 97."""
    number = "".join(str(int(one, 36)) for one in characters[4:] + characters[:4])
    return int(number) % 97 == 1


def _credit_card(_: str, match: Match) -> int | None:
    digits = _digits(match.group())
    issuer = int(digits[:6])
    is_issued = any(first <= issuer <= last for first, last in ISSUERS)
    return match.end() if is_issued and is_luhn(digits) else None


def is_luhn(digits: str) -> bool:
    """ISO/IEC 7812: with every second digit from the right doubled, all add up to tens."""
    doubled = (sum(divmod(2 * int(one), 10)) for one in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def _ssn(text: str, match: Match) -> int | None:
    start, end = match.span()
    goes_on = text[max(0, start - 1) : start] in tuple("-.") or text[end : end + 1] == "-"
    # No number was ever given out with 900 and more.
    if goes_on or match.group() >= "9":
        return None
    return end if "-" in match.group() or _comes_after(SSN_WORDS, text, start) else None


def _ipv4(_: str, match: Match) -> int | None:
    try:
        address = IPv4Address(match.group())
    except ValueError:
        return None
    is_version = all(number < VERSION_BELOW for number in address.packed[:2])
    is_nobodys = any(address in ip_network(one) for one in NOBODYS.split())
    return None if is_version or is_nobodys else match.end()


def _ipv6(_: str, match: Match) -> int | None:
    try:
        address = IPv6Address(match.group())
    except ValueError:
        return None
    is_example = address in ip_network(DOCUMENTATION_V6)
    return match.end() if address in ip_network(SOMEBODYS_V6) and not is_example else None


def _date_of_birth(text: str, match: Match) -> int | None:
    return match.end() if _comes_after(BIRTH_WORDS, text, match.start()) else None


def _phone(text: str, match: Match) -> int | None:
    number = match.group()
    goes_on = text[max(0, match.start() - 1) : match.start()] in tuple("-./:=")
    if goes_on or not _is_phone(number):
        return None
    is_bare = number.isdigit()
    return match.end() if not is_bare or _comes_after(PHONE_WORDS, text, match.start()) else None


def _number_after_words(text: str, match: Match) -> int | None:
    is_meant = _is_phone(match.group()) and _comes_after(PHONE_WORDS, text, match.start())
    return match.end() if is_meant else None


def _is_phone(number: str) -> bool:
    least, most = PHONE_DIGITS
    return least <= len(_digits(number)) <= most


def _comes_after(words: str, text: str, start: int) -> bool:
    before = text[max(0, start - CONTEXT_CHARACTERS) : start]
    return re.search(words, before, re.IGNORECASE) is not None


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def matches(pattern: re.Pattern[str], text: str, window: int, margin: int) -> Iterator[Match]:
    """What `pattern.finditer(text)` finds, if that is no longer than `margin`.

    One search goes on for no more than a window and a margin: it holds up all other threads, and
    some patterns take the square of what they search.
    """
    start = 0
    while start < len(text):
        limit = end = start + window
        for match in pattern.finditer(text, start, limit + margin):
            if match.start() >= limit:
                break
            yield match
            end = max(end, match.end())
        start = end
