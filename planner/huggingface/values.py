"""Taking single values out of a config, refusing what is malformed by the name of its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from planner.errors import CatalogError, Message, Told

Config = Mapping[str, object]

MOST = 1_000_000_000  # above any dimension of any model
MOST_LAYERS = 10_000


def refuse(key: str, value: object, allowed: str | Told) -> NoReturn:
    """Raise with the key, what stands there and what is allowed."""
    stands = Message("is missing") if value is None else Message("is {value}", value=ascii(value)[:60])
    raise CatalogError("{key} {stands}; allowed: {allowed}", key=key, stands=stands, allowed=allowed)


def whole(config: Config, key: str, silent: int | None = None, *, least: int = 1, most: int = MOST) -> int:
    """A whole number; `silent` stands where the key is absent or null."""
    value = config.get(key)
    if value is None and silent is not None:
        return silent
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        refuse(key, value, Message("a whole number from {least} to {most}", least=least, most=most))
    return value


def maybe(config: Config, key: str) -> int | None:
    """A whole number of at least 1, None where the key is absent or null."""
    return None if config.get(key) is None else whole(config, key)


def first(config: Config, keys: Sequence[str]) -> int | None:
    """A whole number, 0 included, of the first of several synonyms that is not null."""
    return next((whole(config, key, least=0) for key in keys if config.get(key) is not None), None)


def flag(config: Config, key: str, silent: bool) -> bool:
    """True or false; `silent` stands where the key is absent or null."""
    value = config.get(key)
    if value is None:
        return silent
    if not isinstance(value, bool):
        refuse(key, value, Message("true or false"))
    return value


def section(config: Config, key: str) -> Config | None:
    """A nested object, None where the key is absent or null."""
    value = config.get(key)
    if value is not None and not isinstance(value, dict):
        refuse(key, value, Message("an object"))
    return value


def names(config: Config, key: str) -> list[str]:
    """A list of strings, empty where the key is absent or null."""
    value = config.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        refuse(key, value, Message("a list of strings"))
    return value


def per_layer(config: Config, key: str, layers: int, allowed: Sequence[object]) -> list[object]:
    """A list with one of the allowed values for every layer."""
    value = config.get(key)
    if not isinstance(value, list) or len(value) != layers:
        refuse(key, value, Message("a list of num_hidden_layers {layers} values", layers=layers))
    for item in value:
        if isinstance(item, bool) or not isinstance(item, int | str) or item not in allowed:
            refuse(key, item, Message("{allowed} for every layer", allowed=", ".join(str(one) for one in allowed)))
    return value


def layer_numbers(config: Config, key: str, layers: int) -> set[int]:
    """A list of layer numbers counted from 0, empty where the key is absent or null."""
    value = config.get(key)
    if value is None:
        return set()
    if not isinstance(value, list):
        refuse(key, value, Message("a list of layer numbers"))
    for item in value:
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item < layers:
            refuse(key, item, Message("layer numbers from 0 to {last}", last=layers - 1))
    return set(value)
