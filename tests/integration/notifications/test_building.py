"""A mail has the intended content for every reader: built, parsed again, compared; nothing can be injected into
headers."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.ports.notifications import Mail, PostRefused, PostUnavailable
from infra.notifications.mail import building
from infra.notifications.mail.building import HEADERS, build, is_address
from infra.notifications.mail.outbox import Outbox

SENDER = "Acme orders <orders@acme.example>"
MAIL = Mail(
    "abc123.1@rescind", "b-1@example.org", "Bü Yer", "de", "Bestellung: storniert – 21,50 €",
    "Guten Tag,\n\n.punkt am Anfang\nFrom hier an\n" + "lang " * 400 + "\n", "<p>ä &amp; b</p>\n",
    1_772_445_600_000_000,
)  # fmt: skip


def lines(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_is_read_back_as_it_was_meant() -> None:
    parsed = message_from_bytes(build(MAIL, SENDER), policy=default)
    assert sorted(parsed.keys()) == sorted(HEADERS)
    assert (parsed["Subject"], parsed["Message-ID"]) == (MAIL.subject, "<abc123.1@rescind>")
    assert parsed["To"].addresses[0].display_name == "Bü Yer" and parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Date"] == "Mon, 02 Mar 2026 10:00:00 +0000"
    text, html = parsed.iter_parts()
    assert lines(text) == MAIL.text and lines(html) == MAIL.html


@pytest.mark.parametrize("sign", ["\r\nBcc: x@evil.example", "\n", "\r", "\x00", "\x85", "\u2028", "\u202e", "\x0b"])
@pytest.mark.parametrize("field", ["subject", "name", "message_id"])
def test_text_that_would_inject_a_header_is_refused(field: str, sign: str) -> None:
    with pytest.raises(PostRefused, match="is not allowed in a header"):
        build(replace(MAIL, **{field: f"a{sign}b"}), SENDER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    ["", "b", "b@", "@x", "a b@x.org", "a@x.org, c@x.org", "a@x.org\r\nBcc: c@x.org", "<a@x.org>", "a@-x.org",
     "a@x..org", "ä@x.org", "a@x.org>", '"a"@x.org', "a@[127.0.0.1]"],
)  # fmt: skip
def test_an_invalid_address_is_refused(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(PostRefused, match="no mail address"):
        build(replace(MAIL, to=address), SENDER)


@given(st.text(max_size=200), st.text(max_size=80), st.text(max_size=400))
def test_any_mail_is_refused_or_parsed_back_completely(subject: str, name: str, text: str) -> None:
    clean = "".join(c for c in text if c.isprintable() or c == "\n")
    try:
        data = build(replace(MAIL, subject=subject, name=name, text=clean), SENDER)
    except PostRefused:
        return
    parsed = message_from_bytes(data, policy=default)
    assert sorted(parsed.keys()) == sorted(HEADERS)
    assert len(parsed["To"].addresses) == 1 and parsed["To"].addresses[0].addr_spec == MAIL.to


def test_a_mail_that_is_read_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_person", lambda name, address: "a@example.org, c@example.org")
    with pytest.raises(PostRefused, match="another"):
        build(MAIL, SENDER)


def test_an_outbox_has_a_mail_whole_and_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", SENDER)
    assert outbox.has(MAIL.message_id) is False
    outbox.hand_over(MAIL)
    assert outbox.has(MAIL.message_id) is True
    [file] = (tmp_path / "outbox").iterdir()
    assert file.name == "abc123.1.eml" and file.read_bytes() == build(MAIL, SENDER)
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(PostRefused):
        outbox.hand_over(replace(MAIL, message_id="../x@rescind"))


def test_an_outbox_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(PostUnavailable, match="does not take files"):
        Outbox(tmp_path / "outbox").hand_over(MAIL)
