"""The forms in which a comparison's table can be had; without torch, for the command line."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from seqlab.errors import ConfigError

Form: TypeAlias = Literal["latex", "markdown", "csv"]


def check_form(text: str) -> Form:
    """The form of that name. Raises ConfigError if there is none."""
    forms: dict[str, Form] = {form: form for form in get_args(Form)}
    if text not in forms:
        raise ConfigError(f"--table {text}", f"choose one of: {', '.join(forms)}")
    return forms[text]
