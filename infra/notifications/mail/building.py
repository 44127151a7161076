"""Makes the bytes of a mail from a message: built with the standard library, parsed again and compared.

Text for a header is refused if it has a control character, a line end or a character that changes the direction of
reading. The parser's result must equal the intended headers and parts.
"""

import re
import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from typing import Final

from consumers.ports.notifications import Mail, PostRefused
from domain.instants import to_datetime

HEADERS: Final = (
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version", "Content-Type",
)  # fmt: skip
"""The headers of a mail; each occurs once."""
LONGEST: Final = 500
"""The most characters of a text in a header."""
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
    re.ASCII,
)


def is_address(text: str) -> bool:
    """Whether a text is one plain mail address: ``local@domain``, ASCII, and nothing else."""
    return len(text) <= 254 and len(text.rpartition("@")[0]) <= 64 and _ADDRESS.fullmatch(text) is not None


def fit_for_header(text: str, what: str) -> str:
    """Return the text if it may be in a header; PostRefused."""
    if len(text) > LONGEST:
        raise PostRefused(f"{what} has {len(text)} characters, {LONGEST} are the most")
    for sign in text:
        if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") or sign in _TURNS:
            raise PostRefused(f"{what} has the sign U+{ord(sign):04X}, which is not allowed in a header")
    return text


_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def build(mail: Mail, sender: str) -> bytes:
    """Return the bytes of a mail, with lines ending in CRLF. ``sender``: an address, with or without a name.

    PostRefused where it cannot be built, or would be read as something else.
    """
    from_name, from_address = parseaddr(sender)
    for address, what in ((from_address, "the sender"), (mail.to, "the address")):
        if not is_address(address):
            raise PostRefused(f"{what} {address!r} is no mail address")
    message = EmailMessage(policy=SMTP)
    message["From"] = _person(from_name, from_address)
    message["To"] = _person(mail.name or "", mail.to)
    message["Subject"] = fit_for_header(mail.subject, "the subject")
    message["Date"] = format_datetime(to_datetime(mail.at))
    message["Message-ID"] = f"<{fit_for_header(mail.message_id, 'the message id')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{sha256(mail.message_id.encode()).hexdigest()[:32]}")  # quoted-printable never has =_
    message["Content-Language"] = mail.language  # behind the content, which takes such headers away
    data = message.as_bytes()
    _compare(data, mail, (from_name, from_address))
    return data


def _person(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(fit_for_header(name, "the name"), local, domain)


def _compare(data: bytes, mail: Mail, sender: tuple[str, str]) -> None:
    """Parse the mail as its reader will, and check that it has the intended content."""
    parsed = BytesParser(policy=SMTP).parsebytes(data)
    assert isinstance(parsed, EmailMessage)
    parts = [part for part in parsed.iter_parts() if isinstance(part, EmailMessage)]
    found = {
        "headers": sorted(parsed.keys()),
        "from": [(each.display_name, each.addr_spec) for each in parsed["From"].addresses],
        "to": [(each.display_name, each.addr_spec) for each in parsed["To"].addresses],
        "subject": str(parsed["Subject"]),
        "id": str(parsed["Message-ID"]),
        "types": [part.get_content_type() for part in parts],
        "text": [_content(part) for part in parts],
        "defects": [str(defect) for part in (parsed, *parts) for defect in part.defects],
    }
    meant = {
        "headers": sorted(HEADERS),
        "from": [sender],
        "to": [(mail.name or "", mail.to)],
        "subject": mail.subject,
        "id": f"<{mail.message_id}>",
        "types": ["text/plain", "text/html"],
        "text": [_lines(mail.text), _lines(mail.html)],
        "defects": [],
    }
    for what, wanted in meant.items():
        if found[what] != wanted:
            raise PostRefused(f"the mail would be read with another {what} than was meant")


def _content(part: EmailMessage) -> str:
    return _lines(str(part.get_content()))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")
