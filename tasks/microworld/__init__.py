"""The built-in world."""

from tasks.microworld.write import VERSION, Sizes, write

__all__ = ["VERSION", "Sizes", "write"]
