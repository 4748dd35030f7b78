"""Text to types with care: for every column a value, and the reason why a text is no such value."""

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column as Expr
from pyspark.sql import functions as F

from lake.columns import DECIMAL, Column

INTEGER_TYPES = ("tinyint", "smallint", "int", "bigint")
NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
ISO_LOCAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?$"
ISO_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?(Z|[+-][0-9]{2}:?[0-9]{2})$"
#: How far clocks are moved anywhere in the IANA database since 1970, in minutes.
CLOCK_CHANGES = (30, 60, 120)
#: Where clocks show the same distance from UTC so long before and after, none was moved in between.
AROUND = "interval 2 days"


@dataclass(frozen=True)
class Cast:
    """What a text becomes: `read`, which means something only where it is not `is_faulty`, and `fault`, the reason or null.

    `read` and `is_faulty` are cheap and never null-checked against each other, so that Spark compiles wide rows of them.
    """

    read: Expr
    is_faulty: Expr
    fault: Expr

    @property
    def value(self) -> Expr:
        """What the text is, null where it has a fault."""
        return F.when(~self.is_faulty, self.read)


def cast(text: Expr, column: Column) -> Cast:
    """The text as the column's type; null stays null without a fault.

    A fault is a text that is no such value, or a value that would lose digits, overflow, become infinite, or name an
    instant that a zone does not have or has twice.
    """
    if column.type == "string":
        return Cast(text, F.lit(False), F.lit(None).cast("string"))
    if column.type == "boolean":
        return _boolean(text)
    if column.type in INTEGER_TYPES:
        return _integer(text, column.type)
    if column.type in ("float", "double"):
        return _floating(text, column.type)
    if column.type == "date":
        return _date(text, column)
    if column.type == "timestamp":
        return _timestamp(text, column)
    return _decimal(text, column.type)


def _judged(text: Expr, value: Expr, *faults: tuple[Expr, str]) -> Cast:
    """The value with what may be wrong with it; the first fault that applies gives the reason."""
    reason = F.lit(None).cast("string")
    for condition, message in reversed(faults):
        reason = F.when(condition, F.lit(message)).otherwise(reason)
    is_any = reduce(lambda one, other: one | other, (F.coalesce(condition, F.lit(False)) for condition, _ in faults))
    return Cast(value, text.isNotNull() & is_any, F.when(text.isNotNull(), reason))


def _boolean(text: Expr) -> Cast:
    lower = F.lower(F.trim(text))
    return _judged(text, lower == "true", (~lower.isin("true", "false"), "expected true or false"))


def _integer(text: Expr, type_: str) -> Cast:
    trimmed = F.trim(text)
    value = trimmed.try_cast(type_)
    return _judged(
        text,
        value,
        (~trimmed.rlike(r"^[+-]?[0-9]+$"), f"expected a whole number ({type_})"),
        (value.isNull(), f"out of range for {type_}"),
    )


def _floating(text: Expr, type_: str) -> Cast:
    trimmed = F.trim(text)
    value = trimmed.try_cast(type_)
    has_digits = F.regexp_extract(trimmed, r"^[^eE]*", 0).rlike("[1-9]")
    return _judged(
        text,
        value,
        (~trimmed.rlike(NUMBER), f"expected a number ({type_})"),
        (F.abs(value) == float("inf"), f"out of range for {type_}"),
        ((value == 0) & has_digits, f"too small for {type_}"),
    )


def _decimal(text: Expr, type_: str) -> Cast:
    match = DECIMAL.fullmatch(type_)
    scale = int(match[2]) if match else 0
    trimmed = F.trim(text)
    whole = F.regexp_extract(trimmed, r"^[+-]?([0-9]*)", 1)
    fraction = F.regexp_extract(trimmed, r"\.([0-9]*)", 1)
    exponent = F.coalesce(F.regexp_extract(trimmed, r"[eE]([+-]?[0-9]+)$", 1).try_cast("int"), F.lit(0))
    digits = F.concat(whole, fraction)
    spare_zeros = F.length(digits) - F.length(F.regexp_replace(digits, "0+$", ""))
    needed_scale = F.length(fraction) - exponent - spare_zeros
    value = trimmed.try_cast(type_)
    return _judged(
        text,
        value,
        (~trimmed.rlike(NUMBER), f"expected a number ({type_})"),
        (digits.rlike("[1-9]") & (needed_scale > scale), f"more than {scale} decimals would be lost ({type_})"),
        (value.isNull(), f"out of range for {type_}"),
    )


def _date(text: Expr, column: Column) -> Cast:
    trimmed = F.trim(text)
    if column.format:
        value = F.try_to_timestamp(trimmed, F.lit(column.format)).cast("date")
        again = F.date_format(value, column.format) == trimmed
        return _judged(text, value, (value.isNull() | ~again, f"expected a date like {column.format}"))
    value = F.when(trimmed.rlike(ISO_DATE), trimmed.try_cast("date"))
    return _judged(text, value, (value.isNull(), "expected a date like 2020-12-31"))


def _timestamp(text: Expr, column: Column) -> Cast:
    trimmed = F.trim(text)
    if column.format in ("epoch_s", "epoch_ms"):
        return _epoch(text, column.format)
    if column.format:
        wall = F.try_to_timestamp(trimmed, F.lit(column.format))
        if column.zone is None or set("XxVzO") & set(column.format):
            return _judged(text, wall, (wall.isNull(), f"expected a time like {column.format}"))
        return _zoned(text, wall, column, f"expected a time like {column.format}")
    if column.zone is None:
        value = F.when(trimmed.rlike(ISO_INSTANT), trimmed.try_cast("timestamp"))
        return _judged(
            text, value, (value.isNull(), "expected an instant like 2020-12-31T23:59:59Z; declare `zone` for local times")
        )
    instant = F.when(trimmed.rlike(ISO_INSTANT), trimmed.try_cast("timestamp"))
    wall = F.when(trimmed.rlike(ISO_LOCAL), trimmed.try_cast("timestamp"))
    local = _zoned(text, wall, column, "expected a time like 2020-12-31T23:59:59")
    is_faulty = instant.isNull() & local.is_faulty
    return Cast(F.coalesce(instant, local.read), is_faulty, F.when(instant.isNull(), local.fault))


def _epoch(text: Expr, unit: str) -> Cast:
    number = F.trim(text).try_cast("decimal(20,6)")
    micros = (number * (1_000_000 if unit == "epoch_s" else 1_000)).try_cast("bigint")
    in_range = micros.between(-62_135_596_800_000_000, 253_402_300_799_999_999)
    return _judged(
        text,
        F.timestamp_micros(micros),
        (~F.trim(text).rlike(r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$"), f"expected a number ({unit})"),
        (micros.isNull() | ~in_range, "outside the years 1 to 9999"),
    )


def _zoned(text: Expr, wall: Expr, column: Column, expected: str) -> Cast:
    """The instant at which clocks of the zone showed `wall` (a UTC timestamp that holds the local reading)."""
    zone = column.zone or "UTC"
    if zone == "UTC":
        return _judged(text, wall, (wall.isNull(), expected))
    guess = F.to_utc_timestamp(wall, zone)
    is_near = _offset(guess - F.expr(AROUND), zone) != _offset(guess + F.expr(AROUND), zone)
    shifted = [guess + F.expr(f"interval {sign}{minutes} minutes") for minutes in CLOCK_CHANGES for sign in ("", "-")]
    fits = [F.when(F.from_utc_timestamp(moment, zone) == wall, moment) for moment in [guess, *shifted]]
    earliest, latest = F.least(*fits), F.greatest(*fits)
    value = F.when(is_near, latest if column.on_overlap == "later" else earliest).otherwise(guess)
    faults = [(wall.isNull(), expected), (is_near & earliest.isNull(), f"clocks in {zone} never showed this time")]
    if column.on_overlap == "fault":
        faults.append((is_near & (earliest != latest), f"clocks in {zone} showed this time twice; declare on_overlap"))
    return _judged(text, value, *faults)


def _offset(moment: Expr, zone: str) -> Expr:
    """Microseconds by which clocks of the zone are ahead of UTC."""
    return F.unix_micros(F.from_utc_timestamp(moment, zone)) - F.unix_micros(moment)
