"""A profile with a scenario's figures in place of its own, read as any profile's file is."""

import json
import tomllib
from importlib import resources
from typing import Any

from prepay.profile import Profile, ProfileError
from prepay.profile_schema import parse_profile
from tests.specs.reading import Scenario

#: What a block of figures may say besides what stands in a profile's file.
LOAD = "load"


def profile_of(name: str, scenario: Scenario) -> Profile:
    """Return the profile ``name`` with the figures of a scenario.

    ``price`` is that of the first charge for consumption; of a list of tables with names
    (``[charges.fee]``) the one of that name takes the figures, or is added.

    Raises:
        SpecError: with them it is no profile.
    """
    file = f"{name}.toml"
    text = (resources.files("prepay") / "profiles" / file).read_text(encoding="utf-8")
    figures = {key: value for key, value in scenario.figures.items() if key != LOAD}
    document = tomllib.loads(text)
    price = figures.pop("price", None)
    if price is not None:
        _consumption(document)["price" if "charges" in document else "tariff"] = price
    _merge(document, figures)
    lines = (f"{key} = {_inline(value)}" for key, value in document.items())
    try:
        return parse_profile("\n".join(lines), file)
    except ProfileError as error:
        raise scenario.error(scenario.line, f"{error.key}: {error.reason}") from error


def _consumption(document: dict[str, Any]) -> dict[str, Any]:
    charges = document.get("charges", [])
    return next((each for each in charges if each["type"] == "consumption"), document)


def _merge(into: dict[str, Any], figures: dict[str, Any]) -> None:
    for key, value in figures.items():
        held = into.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            _merge(held, value)
        elif isinstance(held, list) and isinstance(value, dict):
            named = {each["name"]: each for each in held}
            for name, given in value.items():
                if name not in named:
                    held.append({"name": name, **given})
                else:
                    _merge(named[name], given)
        else:
            into[key] = value


def _inline(value: Any) -> str:
    """Return a value as TOML on one line; strings, numbers and booleans are those of JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    return json.dumps(value)
