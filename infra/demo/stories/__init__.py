"""The demo's stories, grouped by subject; each order follows one. Every rule occurs in some story.

A story is a function that adds commands to an order. ``CANCELING`` and ``AFTERWARDS`` list the stories that show rules,
with their shops and the ages of their orders. A new story declares them itself (``happens_in``), so that the numbers of
the other orders stay. ``COMMON`` lists everyday stories. A story declares what it shows (``shows_rule``, ``shows``);
``SHOWN`` and ``FURTHER`` map that to the stories.
"""

from typing import Final

from infra.demo.stories import casting
from infra.demo.stories.casting import CANCELING, COMMON
from infra.demo.stories.plot import CAST, FURTHER, SHOWN, Plot, Tell, name

AFTERWARDS: Final = (*casting.AFTERWARDS, *CAST)
"""Stories with their own random generators, so that a new one changes no other. New ones come last."""

__all__ = ["AFTERWARDS", "CANCELING", "COMMON", "FURTHER", "SHOWN", "Plot", "Tell", "name"]
