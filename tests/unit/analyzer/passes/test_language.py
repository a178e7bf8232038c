"""Languages of conversations that anybody can tell, and of those that nobody can."""

from typing import Any

import pytest

from parley.events import Role
from services.analyzer.passes import detector
from services.analyzer.passes.detector import guess, words_of
from services.analyzer.passes.language import SIDE_CHARACTERS, run
from tests.unit.analyzer.samples import assistant, spoken, text, user

ENGLISH = "My parcel has not arrived yet, could you please find out where it is?"
GERMAN = "Meine Bestellung ist leider noch nicht angekommen, wo ist denn das Paket?"

SAID = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": "Bonjour, ma commande n'est toujours pas arrivée, pouvez-vous vérifier ?",
    "es": "Hola, mi pedido todavía no ha llegado. ¿Pueden revisar dónde está?",
    "pt": "Olá, a minha encomenda ainda não chegou. Podem verificar onde está?",
    "cs": "Dobrý den, moje objednávka ještě nedorazila, můžete zjistit, kde je?",
    "ru": "Здравствуйте, мой заказ ещё не пришёл. Когда будет доставка?",
    "zh": "你好，我的订单还没有到，请帮我查一下物流信息好吗？",
    "ja": "こんにちは、注文した商品がまだ届いていません。確認してもらえますか。",
    "ko": "안녕하세요 주문한 상품이 아직 도착하지 않았습니다",
    "ar": "مرحبا، لم يصل طلبي بعد، هل يمكنك مساعدتي؟",
    "he": "שלום, ההזמנה שלי עדיין לא הגיעה, אפשר לבדוק איפה היא?",
    "hi": "नमस्ते, मेरा ऑर्डर अभी तक नहीं आया है। कृपया जाँच करें।",
}


@pytest.mark.parametrize(("language", "said"), SAID.items())
def test_a_sentence_is_in_its_language(language: str, said: str) -> None:
    output: Any = run(text(user(0, said)))
    assert output["conversation"]["language"] == language
    assert output["conversation"]["confidence"] > 0.9
    assert output["conversation"]["reason"] is None
    assert output["conversation"]["shares"] == [{"language": language, "share": 1.0}]
    assert output["roles"]["user"] == output["conversation"]


def test_each_side_has_its_own_language_and_the_conversation_both() -> None:
    output: Any = run(text(user(0, GERMAN), assistant(1, ENGLISH), user(2, GERMAN)))
    assert output["roles"]["user"]["language"] == "de"
    assert output["roles"]["assistant"]["language"] == "en"
    # 60 letters of each German message, 54 of the English one.
    assert output["conversation"] == {
        "language": "de",
        "confidence": output["roles"]["user"]["confidence"],
        "reason": None,
        "letter_count": 174,
        "shares": [{"language": "de", "share": 0.6897}, {"language": "en", "share": 0.3103}],
        "undetermined_share": 0.0,
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "no_text"),
        ("😀😀😀 !!! 12 + 12", "no_text"),
        ("https://example.com/a/very/long/path/to/something", "no_text"),
        ("ok thanks", "too_short"),
        ("谢谢你", "too_short"),
        ("xqz vbnm wrtp qwxz kjhg zxcv", "uncertain"),
    ],
)
def test_what_cannot_be_told_has_a_reason(said: str, reason: str) -> None:
    output: Any = run(text(user(0, said)))
    one = output["conversation"]
    assert (one["language"], one["confidence"], one["shares"]) == (None, None, [])
    assert one["reason"] == reason
    assert one["undetermined_share"] == (None if reason == "no_text" else 1.0)


def test_an_empty_segment_has_no_text() -> None:
    nobody: dict[str, Any] = {
        "language": None,
        "confidence": None,
        "reason": "no_text",
        "letter_count": 0,
        "shares": [],
        "undetermined_share": None,
    }
    assert run(text()) == {
        "conversation": nobody,
        "roles": {"user": nobody, "assistant": nobody},
        "unread_message_count": 0,
    }


def test_messages_that_are_too_short_alone_are_judged_together() -> None:
    short = ["where is", "my parcel", "it should", "have been", "here by", "yesterday"]
    assert all(guess(one).reason == detector.TOO_SHORT for one in short)
    output: Any = run(text(*(user(number, one) for number, one in enumerate(short))))
    assert output["conversation"]["language"] == "en"


def test_what_tools_and_the_system_say_is_in_no_language() -> None:
    output: Any = run(text(spoken(0, Role.SYSTEM, ENGLISH), spoken(1, Role.TOOL, ENGLISH)))
    assert output["conversation"]["letter_count"] == 0


def test_addresses_paths_and_code_are_no_words() -> None:
    said = "see https://x.org/a_b me@x.org /etc/fstab foo.py x=1 <b> über-uns!"
    assert words_of(said) == "see über-uns!"


def test_of_a_side_its_beginning_is_judged_and_the_rest_counted() -> None:
    long = f"{ENGLISH} " * 80
    messages = [user(number, long) for number in range(SIDE_CHARACTERS // 5_000 + 10)]
    output: Any = run(text(*messages, user(9_999, GERMAN)))
    assert 0 < output["unread_message_count"] < len(messages)
    assert [one["language"] for one in output["conversation"]["shares"]] == ["en"]


def test_scores_are_added_up_in_double_precision() -> None:
    # In single precision the last digits depend on the processor that adds them up.
    assert detector._identifier()._decide("some words").dtype == "float64"
