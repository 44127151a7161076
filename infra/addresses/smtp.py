"""The address of a mail server, and how to connect to it."""

from dataclasses import dataclass, field
from typing import Literal

Tls = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class SmtpAt:
    """A mail server and how to connect to it. The password appears in no text form of this object."""

    host: str
    port: int
    sender: str
    tls: Tls = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout: float = 20.0
