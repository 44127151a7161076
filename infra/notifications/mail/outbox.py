"""The outbox: a directory that takes messages as ``.eml`` files, whole or not at all. An embedded engine uses it.

A file is named by its message's id. So a message is never written twice, and after a crash its file shows whether it
was written. The program that sends the files moves or removes them.
"""

import os
from pathlib import Path
from typing import Final

from consumers.ports.notifications import Mail, PostRefused, PostUnavailable
from infra.notifications.mail.building import build

SENDER: Final = "rescind <rescind@localhost>"


class Outbox:
    """The Post port over a directory."""

    name = "outbox"

    def __init__(self, directory: Path, sender: str = SENDER) -> None:
        self.directory = directory
        self._sender = sender

    def hand_over(self, mail: Mail) -> None:
        """Write a draft, and rename it to the message's file. The file is durable when this returns."""
        data = build(mail, self._sender)
        path = self.path_of(mail.message_id)
        draft = path.with_suffix(".draft")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
            entries = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(entries)
            finally:
                os.close(entries)
        except OSError as wrong:
            raise PostUnavailable(f"{self.directory} does not take files: {wrong.strerror or wrong}") from wrong

    def has(self, message_id: str) -> bool | None:
        """Whether the file is there."""
        try:
            return self.path_of(message_id).exists()
        except (OSError, PostRefused):
            return False

    def path_of(self, message_id: str) -> Path:
        """Return the file of a message; PostRefused if its id is no file name."""
        stem = message_id.partition("@")[0]
        if not stem or not all(sign.isascii() and (sign.isalnum() or sign in ".-_") for sign in stem):
            raise PostRefused(f"{message_id!r} is no message id")
        return self.directory / f"{stem}.eml"
