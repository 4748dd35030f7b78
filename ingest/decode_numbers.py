"""Numbers as a country writes them to numbers as the lake reads them."""

import re
from collections.abc import Callable

from lake.files_source import FilesSource

_TYPES = ("tinyint", "smallint", "int", "bigint", "float", "double")


def number_reader(source: FilesSource) -> Callable[[str], str | None] | None:
    """What rewrites `1.234,56` as `1234.56` and answers None for a text that is no such number; None when nothing is declared."""
    sign, group = re.escape(source.decimal), re.escape(source.thousands or "")
    if source.decimal == "." and not group:
        return None
    whole = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+" if group else "[0-9]+"
    number = re.compile(rf"\s*[+-]?(?:(?:{whole})(?:{sign}[0-9]*)?|{sign}[0-9]+)(?:[eE][+-]?[0-9]{{1,4}})?\s*")

    def read(text: str) -> str | None:
        if not number.fullmatch(text):
            return None
        return (
            text.replace(source.thousands or "", "").replace(source.decimal, ".")
            if group
            else text.replace(source.decimal, ".")
        )

    return read


def is_number(type_: str) -> bool:
    """Whether a column of this type holds numbers."""
    return type_ in _TYPES or type_.startswith("decimal")
