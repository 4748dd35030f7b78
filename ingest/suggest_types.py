"""Texts of a sample to column types: the narrowest type that surely holds what came, else string."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Texts that often mean null; one counts only where it stands beside values of another type than text.
NULLS = ("", "NA", "N/A", "n/a", "NULL", "null", "None", "\\N", "-")
_BOOLEAN = re.compile(r"(?i)true|false")
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_POINT = re.compile(r"[+-]?[0-9]{1,18}\.([0-9]{1,18})")
_COMMA = re.compile(r"[+-]?[0-9]{1,18},([0-9]{1,18})")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_LOCAL = re.compile(_DATE.pattern + r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?")
_INSTANT = re.compile(_LOCAL.pattern + r"(Z|[+-][0-9]{2}:?[0-9]{2})")
_SLASHED = re.compile(r"[0-9]{1,4}[./][0-9]{1,2}[./][0-9]{2,4}( .*)?")


@dataclass(frozen=True)
class Guess:
    """A column's type with what else has to be declared, the null markers it needs, and a remark."""

    type: str
    options: tuple[tuple[str, str], ...] = ()
    nulls: frozenset[str] = frozenset()
    remark: str = ""
    has_comma: bool = False


def guess(texts: Sequence[str | None], *, may_have_comma: bool = False) -> Guess:
    """The type of a column from its texts."""
    values = [text.strip() for text in texts if text is not None]
    kept = [text for text in values if text not in NULLS]
    nulls = frozenset(values) & frozenset(NULLS)
    if not kept:
        return Guess("string", nulls=nulls & {""}, remark="no value in the sample")
    found = _typed(kept, may_have_comma=may_have_comma)
    if found.type == "string":
        return Guess("string", nulls=nulls & {""}, remark=found.remark)
    return Guess(found.type, found.options, nulls, found.remark, found.has_comma)


def _typed(values: Sequence[str], *, may_have_comma: bool) -> Guess:
    def all_are(pattern: re.Pattern[str]) -> bool:
        return all(pattern.fullmatch(value) for value in values)

    if all_are(_BOOLEAN):
        return Guess("boolean")
    if all_are(_WHOLE):
        return Guess("bigint")
    if all_are(_DATE):
        return Guess("date")
    if all_are(_INSTANT):
        return Guess("timestamp")
    if all_are(_LOCAL):
        return Guess("timestamp", (("zone", "UTC"),), remark="the text names no zone: say which it is")
    if all_are(_NUMBER):
        return _with_point(values, _POINT)
    if may_have_comma and all(_COMMA.fullmatch(value) or _WHOLE.fullmatch(value) for value in values):
        found = _with_point(values, _COMMA)
        return Guess(found.type, remark=found.remark, has_comma=True)
    return Guess("string", remark="dates in a form that needs `format`" if all_are(_SLASHED) else "")


def _with_point(values: Sequence[str], pattern: re.Pattern[str]) -> Guess:
    """decimal where all numbers have the same number of decimals, else double."""
    if any(re.fullmatch(r"[+-]?0[0-9]+", value) for value in values):
        return Guess("string", remark="numbers with leading zeros, kept as text")
    matches = [pattern.fullmatch(value) for value in values]
    scales = {len(match[1]) if match else None for match in matches}
    if len(scales) == 1 and None not in scales:
        scale = scales.pop() or 0
        whole = max(len(re.split(r"[.,]", value.lstrip("+-"))[0]) for value in values)
        return Guess(f"decimal({min(38, max(18, whole + scale + 4))},{scale})")
    return Guess("double")
