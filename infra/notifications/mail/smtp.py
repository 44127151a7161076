"""Sends messages to a mail server over SMTP, one connection each: they are few, and a server may close an idle one.

If sending fails before the message itself, the server has not accepted it. A refusal is final or not by its code. If
the connection breaks before the server answers, the result is unknown (``PostUnsure``).
"""

import smtplib
import ssl
from collections.abc import Callable
from email.utils import parseaddr
from typing import Final

from consumers.ports.notifications import Mail, PostRefused, PostUnavailable, PostUnsure
from infra.addresses.smtp import SmtpAt
from infra.notifications.mail.building import build

_FOR_GOOD: Final = 500
"""Codes from here on are final (RFC 5321, 4.2.1)."""


class SmtpPost:
    """The Post port over a mail server."""

    name = "smtp"

    def __init__(self, at: SmtpAt) -> None:
        self._at = at

    def hand_over(self, mail: Mail) -> None:
        data = build(mail, self._at.sender)
        server = self._ready()
        try:
            self._before(lambda: server.mail(parseaddr(self._at.sender)[1]), server)
            self._before(lambda: server.rcpt(mail.to), server)
            self._give(server, data)
        finally:
            _leave(server)

    def has(self, message_id: str) -> bool | None:
        """Return None: a mail server does not report what it has accepted."""
        return None

    def _ready(self) -> smtplib.SMTP:
        """Open a connection that is ready for a message; PostUnavailable."""
        at = self._at
        try:
            if at.tls == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, timeout=at.timeout, context=self._context())
            else:
                server = smtplib.SMTP(at.host, at.port, timeout=at.timeout)
        except (OSError, smtplib.SMTPException) as wrong:
            raise PostUnavailable(f"the mail server {at.host}:{at.port} cannot be reached: {_said(wrong)}") from wrong
        try:
            server.ehlo_or_helo_if_needed()
            if at.tls == "starttls":
                server.starttls(context=self._context())
                server.ehlo()
            if at.user is not None:
                server.login(at.user, at.password or "")
        except (OSError, smtplib.SMTPException, ValueError) as wrong:
            _leave(server)
            raise PostUnavailable(f"the mail server {at.host}:{at.port} does not let us in: {_said(wrong)}") from wrong
        return server

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._at.ca_file)

    def _before(self, say: Callable[[], tuple[int, bytes]], server: smtplib.SMTP) -> None:
        """Run a step before the message itself: the server has accepted nothing yet."""
        try:
            code, answer = say()
        except (OSError, smtplib.SMTPException) as wrong:
            raise PostUnavailable(f"the mail server broke off: {_said(wrong)}") from wrong
        if code >= _FOR_GOOD:
            raise PostRefused(f"the mail server refuses it: {code} {_text(answer)}")
        if code not in (250, 251):
            raise PostUnavailable(f"the mail server does not take it now: {code} {_text(answer)}")

    def _give(self, server: smtplib.SMTP, data: bytes) -> None:
        """Send the message. Between its last line and the answer, it is not known whether the server accepted it."""
        try:
            code, answer = server.data(data)
        except smtplib.SMTPDataError as wrong:
            code, answer = wrong.smtp_code, wrong.smtp_error if isinstance(wrong.smtp_error, bytes) else b""
        except (OSError, smtplib.SMTPException) as wrong:
            raise PostUnsure(f"the connection broke off before the server had answered: {_said(wrong)}") from wrong
        if code >= _FOR_GOOD:
            raise PostRefused(f"the mail server refuses it: {code} {_text(answer)}")
        if code != 250:
            raise PostUnavailable(f"the mail server does not take it now: {code} {_text(answer)}")


def _leave(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _said(wrong: Exception) -> str:
    """Describe an error in a line; a refused login by its code alone, because servers repeat the credentials."""
    if isinstance(wrong, smtplib.SMTPAuthenticationError):
        return f"the login was refused ({wrong.smtp_code})"
    if isinstance(wrong, smtplib.SMTPResponseException):
        return f"{wrong.smtp_code} {_text(wrong.smtp_error)}"
    return " ".join(str(wrong).split()) or type(wrong).__name__


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200].strip()
