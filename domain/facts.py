"""The decorator that makes a record of the domain: a slots dataclass, frozen for the type checker.

Events and value records are created by the hundred thousand in a replay. A dataclass that is frozen at run time assigns
every field through ``object.__setattr__`` and costs three times as much, so immutability is checked by mypy instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def fact(cls: type[T]) -> type[T]:
    """Make ``cls`` a slots dataclass compared by value; assigning to a field is a type error."""
    return _make(cls)


_make: Callable[[type], type] = dataclass(slots=True)
