"""What makes two specs the same: their canonical form, its digest, and where two forms differ."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from harness.errors import UserError


def version(spec: object) -> int:
    """The spec's version, 1 where it names none."""
    return int(getattr(type(spec), "version", 1))


def canonical(value: object, *, full: bool = False, place: str = "spec") -> Any:
    """`value` as JSON values that are equal exactly when it means the same.

    Of a dataclass only the fields that differ from their defaults (all with `full`); nested ones
    also carry their class name and version. Numbers count by value (1e-5 is 0.00001, 1.0 is 1).
    What has no stable form (NaN, sets, paths, arrays, functions, objects) is refused by name.
    """
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise UserError(f"{place} is {value}: only finite numbers have a stable identity")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, tuple | list):
        return [canonical(v, full=full, place=f"{place}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UserError(f"{place} has a key that is no text: {list(value)!r}")
        return {
            key: canonical(value[key], full=full, place=f"{place}.{key}") for key in sorted(value)
        }
    if is_dataclass(value) and not isinstance(value, type):
        return _canonical_fields(value, full, place)
    raise UserError(
        f"{place} is a {type(value).__module__}.{type(value).__qualname__}, "
        "which has no stable form: use numbers, text, tuples, dicts or frozen dataclasses of them"
    )


def _canonical_fields(value: Any, full: bool, place: str) -> dict[str, Any]:
    """A dataclass as a dict; the outermost spec is known by its kind and carries no class name."""
    form: dict[str, Any] = {}
    if place != "spec":
        form["is"] = type(value).__name__
        if version(value) != 1:
            form["version"] = version(value)
    for each in fields(value):
        now = canonical(getattr(value, each.name), full=full, place=f"{place}.{each.name}")
        if full or not _is_default(each, now, full, f"{place}.{each.name}"):
            form[each.name] = now
    return form


def _is_default(each: "dataclasses.Field[Any]", now: object, full: bool, place: str) -> bool:
    if each.default is not dataclasses.MISSING:
        default = each.default
    elif each.default_factory is not dataclasses.MISSING:
        default = each.default_factory()
    else:
        return False
    # Types matter here: True equals 1 in Python, but not in a spec.
    return json.dumps(canonical(default, full=full, place=place)) == json.dumps(now)


def hexdigest(value: object) -> str:
    """16 hexadecimal digits of a canonical value; key order does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def differences(stored: object, now: object, place: str = "") -> list[tuple[str, Any, Any]]:
    """Fields that both sides have with unequal values: (dotted name, stored, now).

    A field that only one side has was added or taken away with a harmless default.
    """
    if isinstance(stored, dict) and isinstance(now, dict):
        found = []
        for name in stored:
            if name in now:
                found += differences(stored[name], now[name], f"{place}.{name}".lstrip("."))
        return found
    return [] if stored == now and type(stored) is type(now) else [(place, stored, now)]
