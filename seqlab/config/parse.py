"""Turns plain dictionaries into frozen, checked dataclasses, with errors that name the key and the remedy."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from seqlab.config.sources import named_targets
from seqlab.config.suggest import absent, means_nothing, nearest, turned_off, unknown_key
from seqlab.config.user_code import make_importable
from seqlab.errors import ConfigError

T = TypeVar("T")


def parse_target(node: Any, base: type[T], where: str, config_dir: Path | None) -> T:
    """An instance of the dataclass that a node's `_target_` names, with the node's other values.

    A class outside seqlab is imported only if a YAML file in `config_dir` names it; a class that is not a subclass
    of `base` is refused before it is called. Raises ConfigError.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise ConfigError(f"{where} has no _target_ (the config class)", f"choose an option: {where}=NAME")
    target = str(node["_target_"])
    module, _, name = target.rpartition(".")
    if module.split(".")[0] != "seqlab" and target not in named_targets(config_dir):
        raise ConfigError(
            f"{where}._target_={target} is outside seqlab",
            "name the folder whose YAML contains it: --config-dir FOLDER",
        )
    try:
        make_importable(config_dir, [module])
        schema = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{where}._target_={target} cannot be imported: {error}",
            "a module must be installed, or be in or next to the folder of --config-dir",
        ) from error
    if not (isinstance(schema, type) and issubclass(schema, base)):
        raise ConfigError(f"{where}._target_={target} is not a {base.__name__}")
    if inspect.isabstract(schema):
        raise ConfigError(f"{where}._target_={target} is an abstract class", "name a class that can be instantiated")
    settings = {key: value for key, value in node.items() if key != "_target_"}
    for key, name in getattr(schema, "renamed", {}).items():  # in a user's own file, or in one of their runs
        if key in settings and name not in settings:
            settings[name] = settings.pop(key)
    return parse(schema, settings, where)


def parse(schema: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of a (pydantic) dataclass. `where` is the key that contains it, for messages. Raises ConfigError."""
    known = [f.name for f in dataclasses.fields(schema)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            before = f"{where}." if where else ""
            raise unknown_key(f"{before}{key}", values[key], [f"{before}{k}" for k in known])
    try:
        checked: T = TypeAdapter(schema).validate_python(dict(values))
    except ValidationError as error:
        raise _explain(error, where, schema) from error
    return checked


def check_texts(settings: object, where: str) -> None:
    """Raises ConfigError if an optional text is "none" or the like instead of null, unless a file has that name."""
    hints = get_type_hints(type(settings))
    optional = [field.name for field in dataclasses.fields(settings) if hints[field.name] == str | None]  # type: ignore[arg-type]
    for name in optional:
        value = getattr(settings, name)
        if value is not None and means_nothing(value) and not (value and Path(value).exists()):
            raise ConfigError(f"{where}.{name}={value} would be read as text", turned_off(f"{where}.{name}"))


def _explain(error: ValidationError, where: str, schema: type[Any]) -> ConfigError:
    """pydantic's first error, in terms of the command line."""
    first, *others = error.errors()
    word = ""
    if first["type"] == "literal_error" and others and others[0]["loc"][:1] == first["loc"][:1]:
        # a word or a number: the rule for the number is more informative
        word, first = f", or {first['ctx']['expected']}".replace("'", ""), others[0]
    # if a value may also be null, pydantic adds the type that it tried to the location
    path = [str(part) for part in first["loc"] if isinstance(part, int) or str(part).isidentifier()]
    key = ".".join(part for part in (where, *path[:1]) if part)
    value = first["input"]
    context = first.get("ctx", {})
    match first["type"]:
        case "value_error" if not first["loc"]:
            what, _, hint = str(context["error"]).partition("; ")
            return ConfigError(what, hint)
        case "missing" if len(first["loc"]) == 1:
            return ConfigError(f"{key} has no value", f"give it one: {key}=VALUE")
        case "literal_error":
            allowed = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]
            near, none = nearest(str(value), allowed), absent(str(value))
            return ConfigError(
                f"{key}={value} is not allowed",
                f"did you mean {key}={near}?" if near else none[0] if none else "",
                f"{key}: {', '.join(allowed)}",
            )
        case "tuple_type" if isinstance(value, int | float | str | None):
            kinds = get_args(get_type_hints(schema)[path[0]])
            count = 0 if value is None else 1 if Ellipsis in kinds else len(kinds)
            shown = "null" if value is None else value
            return ConfigError(f"{key}={shown} is not a list", f"try '{key}=[{','.join([str(value)] * count)}]'")
        case kind:
            message = str(context["error"]) if kind == "value_error" else first["msg"].removeprefix("Input ")
            shown = "null" if value is None else value
            remedy = _remedy(key, context)
            if path and means_nothing(value) and _is_optional(schema, path[0]):
                off = turned_off(key)
                remedy = off if remedy.startswith("see:") else f"{remedy}; {off}"
            return ConfigError(f"{key}={shown}: {message}{word}", remedy)


def _is_optional(schema: type[Any], field: str) -> bool:
    """Whether a field may be null."""
    return type(None) in get_args(get_type_hints(schema).get(field))


def _remedy(key: str, context: Mapping[str, Any]) -> str:
    bounds = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
    rules = [f"{word} {context[bound]:g}" for bound, word in bounds.items() if bound in context]
    return f"give {key} a value {rules[0]}" if rules else f"see: seqlab config | grep -n {key.rpartition('.')[2]}"
