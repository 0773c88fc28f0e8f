"""Settings declare their type, range and meaning on their dataclass's field, and only there.

    lr: Annotated[Rate, "peak learning rate"]

What reads settings from outside (a grid's check, its JSON schema, `harness list`) asks here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

Count = Annotated[int, Ge(1), Le(10**12)]
Amount = Annotated[int, Ge(0), Le(10**12)]  # a count that may be none
Size = Annotated[int, Ge(1), Le(10**6)]  # of a model: layers, units, positions
Rate = Annotated[float, Gt(0), Le(1)]
Share = Annotated[float, Ge(0), Le(1)]
Portion = Annotated[float, Ge(0), Lt(1)]  # a share that is never the whole
Positive = Annotated[float, Gt(0), Le(1e6)]
Power = Annotated[float, Ge(-10), Le(10)]
Activation = Literal["gelu", "gelu_tanh"]
Length = Annotated[int, Ge(4), Le(65_536)]  # of a sequence, in tokens
Tokens = Annotated[int, Ge(0), Le(65_536)]  # a length that may be none
Epochs = Annotated[int, Ge(1), Le(10_000)]
Beams = Annotated[int, Ge(1), Le(1000)]
Factor = Annotated[Fraction, Gt(0), Le(10**4)]

RATIO = re.compile(r"[0-9]{1,9}/[1-9][0-9]{0,8}")

Of = TypeVar("Of")


@dataclass(frozen=True)
class Setting:
    """One setting: its name (dotted inside a group, `decoding.beams`), type and meaning."""

    name: str
    type: Any  # the annotation, bounds included
    says: str = ""

    @staticmethod
    def read(name: str, hint: Any) -> "Setting":
        """A setting from its annotation; the text in it says what it means."""
        notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        return Setting(name, hint, next((note for note in notes if isinstance(note, str)), ""))

    def fault(self, value: object) -> str:
        """What is wrong with a value from outside, as "it should be ..."; empty for nothing."""
        try:
            _adapter(self.type).validate_python(self._plain(value))
        except ValidationError as error:
            return wording(error.errors()[0])
        except PydanticSchemaGenerationError:
            return "it is no plain value, which a grid could write"
        return ""

    def value(self, given: object) -> Any:
        """A faultless value from outside as the field holds it."""
        if self._exact:
            return Fraction(str(given))
        return _adapter(self.type).validate_python(self._plain(given))

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its values."""
        made = _adapter(self.type).json_schema()
        if self._exact:
            made = {"anyOf": [made, {"type": "string", "pattern": RATIO.pattern}]}
        return made | ({"description": self.says} if self.says else {})

    @property
    def _exact(self) -> bool:
        return _base(self.type) is Fraction

    def _plain(self, value: Any) -> Any:
        """A value as pydantic is asked about it; a ratio such as 1/3 counts as its number."""
        ratio = self._exact and isinstance(value, str) and RATIO.fullmatch(value)
        return float(Fraction(value)) if ratio else _plain(value)


def settings(of: Any) -> dict[str, Setting]:
    """The settings of a dataclass, or of a value of one, by name, in the order of its fields.

    A field that holds a dataclass is a group: its settings are named `field.setting`.
    """
    cls = of if isinstance(of, type) else type(of)
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, Setting] = {}
    for each in fields(cls):
        inside = hints[each.name] if isinstance(of, type) else getattr(of, each.name)
        if is_dataclass(inside):
            for name, setting in settings(inside).items():
                found[f"{each.name}.{name}"] = replace(setting, name=f"{each.name}.{name}")
        else:
            found[each.name] = Setting.read(each.name, hints[each.name])
    return found


def changed(value: Of, changes: Mapping[str, Any]) -> Of:
    """A dataclass's value with settings replaced by faultless values from outside, by name."""
    known = settings(value)
    for name, given in changes.items():
        value = _replaced(value, name.split("."), known[name].value(given))
    return value


def _replaced(value: Any, path: list[str], given: object) -> Any:
    first, *rest = path
    inside = _replaced(getattr(value, first), rest, given) if rest else given
    return replace(value, **{first: inside})


def _base(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


@lru_cache(maxsize=512)
def _adapter(hint: Any) -> TypeAdapter[Any]:
    """Validates values from outside. Exact: text is no number, 1 is not true, NaN is nothing."""
    if _base(hint) is Fraction:
        hint = Annotated[float, *get_args(hint)[1:]]
    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def _plain(value: Any) -> Any:
    """A value as Python has it: lists are tuples, and a number without a fraction is whole."""
    if isinstance(value, list):
        return tuple(_plain(each) for each in value)
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def wording(error: Mapping[str, Any]) -> str:
    """pydantic's error as the end of a sentence: "it should be an integer"."""
    message = error["msg"].removeprefix("Input should be ").replace("valid ", "")
    message = message.replace("a boolean", "true or false")
    for bound, said in (("greater than", "at least"), ("less than", "at most")):
        message = message.replace(f"{bound} or equal to", said)
    return "it should be " + re.sub(r"^a (?=[aeio])", "an ", message)
