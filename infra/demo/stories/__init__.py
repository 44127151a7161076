"""The stories that the demo tells: each order lives through one. Every rule of docs/reference/rules.md shows in some.

A story gets an order that is not placed yet and says what happens to it; the modules have them by subject.
``CANCELING`` and ``AFTERWARDS`` list those that show rules, with the shops they happen in and how old the order must be
for all of it to have happened. A new story says so itself (``happens_in``), which keeps the numbers of the others.
``COMMON`` is everyday life. A story says itself what it shows (``shows_rule``,
``shows``); ``SHOWN`` and ``FURTHER`` have them by what is shown.
"""

from typing import Final

from infra.demo.stories import casting
from infra.demo.stories.casting import CANCELING, COMMON
from infra.demo.stories.plot import CAST, FURTHER, SHOWN, Plot, Tell, name

AFTERWARDS: Final = (*casting.AFTERWARDS, *CAST)
"""Stories that each have their own run of chance, so that one more shifts no other. New ones come last."""

__all__ = ["AFTERWARDS", "CANCELING", "COMMON", "FURTHER", "SHOWN", "Plot", "Tell", "name"]
