# SPDX-License-Identifier: MIT
"""Whatever form a secret takes in a log, it does not stay in it."""

from __future__ import annotations

import base64
import json
import pickle
from urllib.parse import quote, quote_plus, urlencode

import pytest

from suite_deploy.secrets.authority import new_certificate, new_key
from suite_deploy.secrets.redactor import Redactor
from suite_deploy.secrets.value import Secret

AWKWARD = 'pä"ss\\wo/rd with $pace+%'


def redactor(**values: str) -> Redactor:
    return Redactor({name: Secret(name, value) for name, value in values.items()})


@pytest.mark.parametrize(
    "written",
    [
        AWKWARD,
        json.dumps(AWKWARD),
        json.dumps(AWKWARD, ensure_ascii=False),
        quote(AWKWARD),
        quote(AWKWARD, safe=""),
        quote_plus(AWKWARD),
        urlencode({"password": AWKWARD}),
        base64.b64encode(AWKWARD.encode()).decode(),
    ],
)
def test_a_value_is_found_in_every_usual_writing(written: str) -> None:
    text = redactor(name=AWKWARD).redact(f"before {written} after")
    assert "[secret:name]" in text
    assert "wo" not in text.replace("before", "").replace("password", "")
    assert (text[:7], text[-6:]) == ("before ", " after")


def test_a_key_is_found_line_by_line() -> None:
    key = new_key()
    redact = redactor(key=key)
    body = [line for line in key.splitlines() if not line.startswith("-----")]
    for line in redact.lines(key.splitlines()):
        assert not any(secret in line for secret in body)
    assert not any(secret in redact.redact(json.dumps({"key": key})) for secret in body)


def test_the_seed_of_a_signing_key_is_found_without_its_prefix() -> None:
    seed = "tpBWZl2vwQya4vbXKM0+NJshq3Se5t8o8u8aXf6fxoo"
    assert seed not in redactor(key=f"ed25519 a_ENgQ {seed}").redact(f"signing with {seed}")


def test_a_value_inside_another_does_not_break_it_up() -> None:
    redact = redactor(short="abcdefgh", long="xx-abcdefgh-yy").redact
    assert redact("xx-abcdefgh-yy abcdefgh") == "[secret:long] [secret:short]"


def test_certificates_stay_readable() -> None:
    certificate = new_certificate(new_key(), subject="x", domains=["a.example"])
    assert redactor(ca=certificate).redact(certificate) == certificate


def test_values_too_short_to_be_secrets_leave_words_alone() -> None:
    assert redactor(short="admin", empty="").redact("the admin said") == "the admin said"


def test_text_without_secrets_is_untouched() -> None:
    assert redactor(a="0123456789abcdef").redact("nothing here\n") == "nothing here\n"
    assert Redactor({}).redact("nothing here\n") == "nothing here\n"


def test_it_does_not_show_or_hand_out_what_it_holds() -> None:
    redact = redactor(a="0123456789abcdef")
    assert "0123456789abcdef" not in repr(redact)
    with pytest.raises(TypeError):
        pickle.dumps(redact)
