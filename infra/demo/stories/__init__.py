"""The stories that the demo tells: each order lives through one. Every rule of docs/reference/rules.md shows in some.

A story gets an order that is not placed yet and says what happens to it; the modules have them by subject.
``CANCELING`` and ``AFTERWARDS`` list those that show rules, with the shops they happen in and how old the order must be
for all of it to have happened; ``COMMON`` is everyday life. ``SHOWN`` and ``FURTHER`` say which of them shows what.
"""

from infra.demo.stories.casting import AFTERWARDS, CANCELING, COMMON
from infra.demo.stories.plot import Plot, Tell, name
from infra.demo.stories.shown import FURTHER, SHOWN

__all__ = ["AFTERWARDS", "CANCELING", "COMMON", "FURTHER", "SHOWN", "Plot", "Tell", "name"]
