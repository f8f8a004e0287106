"""The corpus `cldr`: phrases that Babel formats from the Unicode Common Locale Data Repository, in English
and in another language: "Tuesday, March 5, 2024" and "mardi 5 mars 2024", "in 3 days" and "dans 3 jours".

The phrases are real (phones and browsers show them), there are as many as requested, and each has a single correct
translation, so that "exact match" is meaningful.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Literal

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_datetime,
    format_interval,
    format_skeleton,
    format_time,
    format_timedelta,
)
from babel.lists import format_list
from babel.numbers import format_currency
from babel.units import format_unit

from seqlab.errors import DataError

Phrase = Callable[[Locale], str]
"""Formats one phrase in a given language."""

_UNITS = (
    "length-kilometer length-meter length-centimeter length-mile length-foot length-inch mass-kilogram mass-gram "
    "mass-pound mass-tonne volume-liter volume-milliliter volume-cubic-meter volume-cup volume-teaspoon "
    "duration-hour duration-minute duration-second duration-week duration-month duration-year "
    "temperature-celsius temperature-fahrenheit speed-kilometer-per-hour speed-meter-per-second "
    "speed-knot area-hectare area-square-meter area-square-kilometer energy-kilowatt-hour energy-joule "
    "power-watt power-horsepower digital-megabyte digital-gigabyte digital-byte electric-volt electric-ampere "
    "frequency-hertz pressure-bar angle-degree length-light-year"
).split()
_CURRENCIES = "USD EUR GBP JPY CHF CAD AUD CNY INR BRL KRW SEK NOK MXN".split()
_TERRITORIES = (
    "FR DE IT ES PT GB IE US CA MX BR AR CL PE CO JP CN KR IN ID TH VN TR GR EG MA ZA NG KE ET RU UA PL CZ AT CH "
    "BE NL DK SE NO FI IS HU RO BG AU NZ IL SA IR IQ PK AF CU JM"
).split()
_LANGUAGES = (
    "en fr de it es pt ja zh ko hi id th vi tr el ar he fa ru uk pl cs nl da sv nb fi is hu ro bg sw am ur bn ta eu "
    "ca cy ga la eo mn ka hy"
).split()


def _moment(rng: random.Random) -> datetime:
    return datetime(1950, 1, 1) + timedelta(minutes=rng.randrange(100 * 365 * 24 * 60))


def _date(rng: random.Random) -> Phrase:
    day = _moment(rng).date()
    return partial(_say_date, day, rng.choice(("full", "full", "long", "medium")))


def _say_date(day: date, form: str, locale: Locale) -> str:
    return format_date(day, form, locale=locale)


def _time(rng: random.Random) -> Phrase:
    moment = _moment(rng).time()
    return lambda locale: format_time(moment, "short", locale=locale)


def _date_and_time(rng: random.Random) -> Phrase:
    # not the short form, whose two-digit year leaves the century open
    moment = _moment(rng)
    return lambda locale: format_datetime(moment, "medium", locale=locale)


def _month(rng: random.Random) -> Phrase:
    day, skeleton = _moment(rng).date(), rng.choice(("yMMMM", "MMMMd", "yMMMEd", "MMMEd"))
    return lambda locale: format_skeleton(skeleton, datetime.combine(day, time()), locale=locale)


def _span(rng: random.Random) -> Phrase:
    # Any: Babel wants literal types, which a drawn string cannot have
    unit: Any
    unit, most = rng.choice((("second", 60), ("minute", 60), ("hour", 24), ("day", 7), ("week", 5), ("month", 12)))
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2629800}[unit]
    delta = timedelta(seconds=seconds * rng.randrange(1, most)) * rng.choice((1, -1))
    # threshold: keep the drawn unit instead of rounding up to the next larger one
    return lambda locale: format_timedelta(delta, granularity=unit, threshold=10, add_direction=True, locale=locale)


def _interval(rng: random.Random) -> Phrase:
    start = _moment(rng)
    skeleton, most_days = rng.choice((("yMMMd", 40), ("MMMd", 40), ("yMMM", 400), ("MMMEd", 20)))
    end = start + timedelta(days=rng.randrange(1, most_days))
    return lambda locale: format_interval(start, end, skeleton, locale=locale)


def _quantity(rng: random.Random) -> Phrase:
    unit = rng.choice(_UNITS)
    length: Literal["long", "short"] = rng.choice(("long", "long", "short"))
    value: float = rng.choice((rng.randrange(0, 100), rng.randrange(100, 10_000), rng.randrange(0, 1000) / 10))
    return lambda locale: format_unit(value, unit, length, locale=locale)


def _money(rng: random.Random) -> Phrase:
    currency = rng.choice(_CURRENCIES)
    style: Literal["standard", "name"] = rng.choice(("standard", "name"))
    value: float = rng.choice((rng.randrange(1, 1000), rng.randrange(1000, 1_000_000), rng.randrange(100_000) / 100))
    return lambda locale: format_currency(value, currency, locale=locale, format_type=style)


def _names(rng: random.Random) -> Phrase:
    codes, table = rng.choice(((_TERRITORIES, "territories"), (_LANGUAGES, "languages"), (_CURRENCIES, "currencies")))
    chosen = rng.sample(codes, rng.choice((1, 2, 2, 3, 3)))
    style: Literal["standard", "or"] = rng.choice(("standard", "or"))

    def say(locale: Locale) -> str:
        names = getattr(locale, table)
        return format_list([names[code] for code in chosen], style=style, locale=locale)

    return say


_KINDS = (
    _date,
    _date,
    _time,
    _date_and_time,
    _month,
    _span,
    _interval,
    _quantity,
    _quantity,
    _money,
    _names,
    _names,
)


def find_locale(name: str) -> Locale:
    """Babel's locale with this name (fr, de, pt_BR). Raises DataError if there is none."""
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError) as error:
        raise DataError(
            f"task.target={name}: Babel has no such locale",
            "try task.target=fr (or de, es, ja, ru, sw, pt_BR, ...)",
        ) from error


def cldr_pairs(target: str, count: int, seed: int) -> list[tuple[str, str]]:
    """`count` pairs (English phrase, its translation into `target`) with distinct English phrases; the same for the
    same seed.

    Narrow and no-break spaces become plain spaces. Raises DataError for a locale that Babel does not have,
    and if fewer than `count` distinct phrases are found.
    """
    english, other = Locale.parse("en"), find_locale(target)
    rng = random.Random(f"cldr {seed}")
    pairs: dict[str, str] = {}
    for _ in range(20 * count):
        if len(pairs) == count:
            break
        say = rng.choice(_KINDS)(rng)
        try:
            source, translation = _plain(say(english)), _plain(say(other))
        except (KeyError, ValueError, AttributeError):  # this locale lacks that name, unit or pattern
            continue
        if source and translation:
            pairs.setdefault(source, translation)
    else:
        if len(pairs) < count:
            raise DataError(
                f"task.pairs={count}: only {len(pairs)} distinct phrases were found",
                f"try task.pairs={len(pairs)}",
            )
    return list(pairs.items())


def _plain(text: str) -> str:
    """White space of any kind and length as one plain space, without invisible direction marks."""
    return " ".join(text.translate({0x200E: None, 0x200F: None, 0x061C: None}).split())
