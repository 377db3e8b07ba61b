"""Strangers' text on its way to a log or a terminal."""

import json

from jobs.escapes import disarmed, escaped, escaped_json

HOSTILE = "a\x1b]0;x\x07b\rc\nd\te\u2028f\u202eg\u061ch\x9bi\ud800j"


def test_nothing_of_it_moves_the_cursor_turns_the_text_or_breaks_the_line() -> None:
    said = escaped(HOSTILE)
    assert said.isprintable()
    assert said.startswith("a\\x1b]0;x\\x07b\\rc\\nd\\te\\u2028f")


def test_other_letters_stay_as_they_are() -> None:
    assert escaped("größer – 日本 🙂 👩\u200d🔬") == "größer – 日本 🙂 👩\u200d🔬"


def test_json_stays_the_same_document() -> None:
    document = {"metadata": {"note": HOSTILE, "ö": "日本"}}
    for indent in (None, 2):
        said = escaped_json(json.dumps(document, ensure_ascii=False, indent=indent))
        assert said.replace("\n", "").isprintable()
        assert json.loads(said) == document
        assert "日本" in said


def test_no_spreadsheet_takes_a_text_for_a_formula() -> None:
    assert [disarmed(text) for text in ("=1+1", "@x", "-x", "+", "\ty")] == ["'=1+1", "'@x", "'-x", "'+", "'\ty"]
    assert [disarmed(text) for text in ("-1", "+2.5e3", "x=1", "")] == ["-1", "+2.5e3", "x=1", ""]
