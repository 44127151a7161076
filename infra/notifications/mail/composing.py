"""From a letter to a message: the sentences of the recipient's language pack, in one frame as text and as HTML.

A sentence is rendered once, as plain text; the HTML frame escapes every value that it is given, so that a title, a name
or a message can bring no markup along. What a customer is told because it shipped although it was cancelled carries no
link of any kind (rule ``notice-has-link``): there the frame has none either.
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


class PackComposer:
    """The Composer port over the language packs."""

    def __init__(self, world: World, public_url: str | None = None) -> None:
        """``public_url``: where people reach this server's pages, without a slash at its end; None: no links."""
        self._world = world
        self._public_url = public_url

    def compose(self, letter: Message, subject: Subject, contact: Contact, message_id: str, now: Instant) -> Mail:
        """The message; CannotCompose where there is nothing that could be said."""
        words = pack(contact.language)
        events: list[tuple[Notification, Event | None]] = [*subject.events] or [(letter.first, None)]
        told = [(notice, facts(notice, event, subject, words, self._world)) for notice, event in events]
        lead, said = _lead(told)
        bare = lead.template == WITHOUT_LINKS
        if bare:
            said["po"] = re.sub(r"[.:/@]", " ", said["po"])
        template = words.told[lead.template]
        title = _line(template["subject"], said)
        sections = _merged([_section(words, notice, values) for notice, values in told])
        frame = self._frame(words, letter, lead, said, subject, contact, bare=bare)
        text = _layout("message.txt").render(subject=title, sections=sections, **frame)
        html = _layout("message.html").render(subject=title, sections=sections, **frame)
        if bare and (link := find_link(text) or find_link(title)) is not None:
            raise CannotCompose(f"the message would have what looks like a link: {link!r}")
        body = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
        return Mail(message_id, contact.address, contact.name, words.language, title, body, html, now)

    def _frame(
        self,
        words: Pack,
        letter: Message,
        lead: Notification,
        said: Mapping[str, Any],
        subject: Subject,
        contact: Contact,
        *,
        bare: bool,
    ) -> dict[str, Any]:
        """What stands around the sections."""
        order = subject.order
        frame = words.words["frame"]
        reached = self._world.market(order.marketplace).contact or ""
        values = {**said, "name": "" if bare else _clean(contact.name or ""), "contact": _clean(reached)}
        foot = []
        if letter.first.sequence > 1:
            foot.append(_line(frame["again"], values))
        if not bare:
            foot += [_line(frame["order"], values), _line(frame["policy"], values)]
            if reached:
                foot.append(_line(frame["contact"], values))
        link = None
        if self._public_url is not None and not bare:
            link = f"{self._public_url}/o/{order.marketplace}/{order.order_id}"
            if matter := _matter(subject, said):
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


def _lead(told: list[tuple[Notification, dict[str, Any]]]) -> tuple[Notification, dict[str, Any]]:
    """The notice that gives the message its subject: the confirmation of a cancellation where there is one."""
    return next((each for each in told if each[0].template in CONFIRMATIONS), told[0])


def _section(words: Pack, notice: Notification, said: Mapping[str, Any]) -> dict[str, Any]:
    """The paragraphs of one notice, those that come out empty left out; lines of goods as a list of their own."""
    paragraphs = [_text(source, said) for source in words.told[notice.template]["said"]]
    lines = [] if notice.template == REMINDER else [_clean(line) for line in said["lines"]]
    return {"said": [paragraph for paragraph in paragraphs if paragraph], "lines": lines}


def _merged(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sections with the same paragraphs become one with the goods of all of them."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for section in sections:
        first = found.setdefault(tuple(section["said"]), section)
        if first is not section:
            first["lines"] = [*first["lines"], *section["lines"]]
    return list(found.values())


def _matter(subject: Subject, said: Mapping[str, Any]) -> str | None:
    """The dispute or case that a message belongs to: its thread stands on a page of its own."""
    of_message = any(notice.template == MESSAGE for notice, _ in subject.events)
    about: str = said["about"]
    return about if of_message and (about in subject.order.disputes or about in subject.order.cases) else None


def _text(source: str, said: Mapping[str, Any]) -> str:
    """A paragraph; lines that somebody wrote stay lines."""
    return _clean(sentence(source).render(said)).strip()


def _line(source: str, said: Mapping[str, Any]) -> str:
    """The same on one line."""
    return " ".join(_text(source, said).split())


def _clean(text: str) -> str:
    """Without control characters but the end of a line, and without signs that turn the direction of reading."""
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
