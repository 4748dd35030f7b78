"""The shop's exchange rates, one row per day and currency, the same text on every machine."""

import random
from datetime import date, timedelta
from decimal import Decimal

SEED = 20200101
FIRST, LAST = date(2020, 1, 1), date(2020, 3, 31)
#: US dollars for one unit on the first day, and the largest change in a day, in per mille.
CURRENCIES = {
    "EUR": (Decimal("1.1200"), 6),
    "GBP": (Decimal("1.3200"), 7),
    "JPY": (Decimal("0.009200"), 6),
    "MXN": (Decimal("0.053000"), 12),
}


def exchange_rates_csv() -> bytes:
    """CSV with header `date,currency,usd`: dollars for one unit of the currency, plain decimals with six places."""
    chance = random.Random(SEED)  # noqa: S311
    rates = {currency: rate for currency, (rate, _) in CURRENCIES.items()}
    lines = ["date,currency,usd"]
    for offset in range((LAST - FIRST).days + 1):
        for currency, (_, widest) in CURRENCIES.items():
            lines.append(f"{FIRST + timedelta(days=offset)},{currency},{rates[currency]:.6f}")
            change = Decimal(chance.randint(-1000 * widest, 1000 * widest)) / 1_000_000
            rates[currency] = (rates[currency] * (1 + change)).quantize(Decimal("0.000001"))
    return "".join(f"{line}\n" for line in lines).encode()
