"""Composes a mail: sentences of the recipient's language pack, in one frame, as text and as HTML.

A sentence is rendered once, as plain text. The HTML frame escapes every value, so a title, a name or a message cannot
add markup. The mail about goods that shipped although they were canceled has no link of any kind (rule
``notice-has-link``), so its frame has none either.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from consumers.ports.notifications import CannotCompose, Contact, Mail, Message, Notification, Subject
from domain.events import Event
from domain.instants import Instant
from domain.links import find_link
from domain.notification_rules import CONFIRMATIONS, MESSAGE, REMINDER
from infra.documents.packs import LANGUAGES, Pack, pack, sentence
from infra.notifications.mail.facts import World, facts

WITHOUT_LINKS: Final = "shipped-although-canceled"
"""The template whose message has no link of any kind."""

ABOUT_MONEY: Final = frozenset(
    {
        *CONFIRMATIONS,
        "undelivered",
        "coming-back",
        "refund-due",
        "refund-confirmed",
        "refund-failed",
        "refund-withdrawn",
        "return-opened",
        "return-received",
        "return-withdrawn",
        "return-lapsed",
        "return-refunded",
        "return-closed",
    }
)
"""Templates whose mail says what is refunded. It also says what was refunded separately."""


class PackComposer:
    """The ``Composer`` port over the language packs."""

    def __init__(self, world: World, public_url: str | None = None) -> None:
        """``public_url``: where people reach this server's pages, without a slash at its end; None for mails without
        links."""
        self._world = world
        self._public_url = public_url

    def compose(self, message: Message, subject: Subject, contact: Contact, message_id: str, now: Instant) -> Mail:
        """Compose the mail; CannotCompose if no notification has a sentence."""
        words = pack(contact.language)
        events: list[tuple[Notification, Event | None]] = [*subject.events] or [(message.first, None)]
        entries = [(notice, facts(notice, event, subject, words, self._world)) for notice, event in events]
        lead, given = _lead(entries)
        bare = lead.template == WITHOUT_LINKS
        if bare:
            given["po"] = re.sub(r"[.:/@]", " ", given["po"])
        template = words.notifications[lead.template]
        title = _line(template["subject"], given)
        sections = _merged([_section(words, notice, values) for notice, values in entries])
        if given["others"] and not bare and any(notice.template in ABOUT_MONEY for notice, _ in entries):
            sections.append({"paragraphs": [_clean(given["others"])], "lines": []})
        frame = self._frame(words, message, lead, given, subject, contact, bare=bare)
        text = _layout("message.txt").render(subject=title, sections=sections, **frame)
        html = _layout("message.html").render(subject=title, sections=sections, **frame)
        if bare and (link := find_link(text) or find_link(title)) is not None:
            raise CannotCompose(f"the message would have what looks like a link: {link!r}")
        body = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
        return Mail(message_id, contact.address, contact.name, words.language, title, body, html, now)

    def _frame(
        self,
        words: Pack,
        message: Message,
        lead: Notification,
        given: Mapping[str, Any],
        subject: Subject,
        contact: Contact,
        *,
        bare: bool,
    ) -> dict[str, Any]:
        """Return the values of the frame around the sections."""
        order = subject.order
        frame = words.words["frame"]
        reached = self._world.market(order.marketplace).contact or ""
        values = {**given, "name": "" if bare else _clean(contact.name or ""), "contact": _clean(reached)}
        foot = []
        if message.first.sequence > 1:
            foot.append(_line(frame["again"], values))
        if not bare:
            foot += [_line(frame["order"], values), _line(frame["policy"], values)]
            if reached:
                foot.append(_line(frame["contact"], values))
        link = None
        if self._public_url is not None and not bare:
            link = f"{self._public_url}/o/{order.marketplace}/{order.order_id}"
            if matter := _matter(subject, given):
                link = f"{self._public_url}/d/{order.marketplace}/{order.order_id}/{quote(matter, safe='')}"
            if lead.template in CONFIRMATIONS:
                link += "/receipt" + ("" if words.language == LANGUAGES[0] else f"?lang={words.language}")
        return {
            "language": words.language,
            "greeting": _line(frame["greeting"], values),
            "foot": foot,
            "page": frame["page"],
            "link": link,
            "sign": _line(frame["sign"], values),
        }


def _lead(entries: list[tuple[Notification, dict[str, Any]]]) -> tuple[Notification, dict[str, Any]]:
    """Return the notification that gives the mail its subject: the confirmation of a cancellation if there is one."""
    return next((each for each in entries if each[0].template in CONFIRMATIONS), entries[0])


def _section(words: Pack, notice: Notification, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paragraphs of one notification without the empty ones; lines of goods are a list of their own."""
    paragraphs = [_text(source, given) for source in words.notifications[notice.template]["paragraphs"]]
    lines = [] if notice.template == REMINDER else [_clean(line) for line in given["lines"]]
    return {"paragraphs": [paragraph for paragraph in paragraphs if paragraph], "lines": lines}


def _merged(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge sections with the same paragraphs into one with all their goods."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for section in sections:
        first = found.setdefault(tuple(section["paragraphs"]), section)
        if first is not section:
            first["lines"] = [*first["lines"], *section["lines"]]
    return list(found.values())


def _matter(subject: Subject, given: Mapping[str, Any]) -> str | None:
    """Return the dispute or case that a message belongs to, which has a page of its own."""
    of_message = any(notice.template == MESSAGE for notice, _ in subject.events)
    about: str = given["about"]
    return about if of_message and (about in subject.order.disputes or about in subject.order.cases) else None


def _text(source: str, given: Mapping[str, Any]) -> str:
    """Clean a paragraph, and preserve the line breaks of its writer."""
    return _clean(sentence(source).render(given)).strip()


def _line(source: str, given: Mapping[str, Any]) -> str:
    """Clean a text, and put it on one line."""
    return " ".join(_text(source, given).split())


def _clean(text: str) -> str:
    """Remove control characters but line ends, and characters that change the direction of reading."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in _TURNS))


_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


@cache
def _layout(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("infra.notifications.mail"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
