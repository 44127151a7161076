"""Bugs to plant. They live here and nowhere else: each makes engines that are wrong in one way."""

from collections.abc import Callable
from typing import Any

from consumers.engine import Engine

PLANTS: dict[str, Callable[..., Engine]] = {"nothing": Engine}
_ = Any
