"""What a test expects to be there, for type checkers and for a plain failure where it is not."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value, which is not None."""
    assert value is not None
    return value
