"""Types of settings with their ranges, for pydantic."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 (pydantic wants ValueError)
    return value


_Number = BeforeValidator(_refuse_bool)
Count = Annotated[int, _Number, Field(gt=0)]
Tenth = Annotated[int, _Number, Field(ge=1, le=10)]
WholeNumber = Annotated[int, _Number, Field(ge=0)]
Real = Annotated[float, _Number, Field(allow_inf_nan=False)]
Positive = Annotated[float, _Number, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, _Number, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, _Number, Field(gt=0, lt=1)]
Probability = Annotated[float, _Number, Field(ge=0, lt=1)]
