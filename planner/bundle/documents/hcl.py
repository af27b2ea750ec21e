"""HCL as `terraform fmt` writes it: two blanks a level, equal signs of neighbouring lines below each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Raw:
    """An expression that stands as it is: a reference or a call. Never text of a user."""

    text: str


@dataclass(frozen=True)
class Block:
    """A block: its type, its labels, attributes and blocks within."""

    kind: str
    labels: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: Sequence[Block] = ()


def to_hcl(blocks: Sequence[Block], comment: str = "") -> str:
    """A file of blocks, one blank line between them."""
    head = f"# {comment}\n\n" if comment else ""
    return head + "\n".join(_block(block, 0) for block in blocks)


def quoted(text: str) -> str:
    """A string that Terraform reads back as it was: no interpolation, no directive, no control character.

    Examples
    --------
    >>> quoted('a "b" ${c} %{d}')
    '"a \\\\"b\\\\" $${c} %%{d}"'
    """
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(named.get(c, c if c.isprintable() else _escaped(c)) for c in plain) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _block(block: Block, level: int) -> str:
    pad = "  " * level
    head = " ".join([block.kind, *(quoted(label) for label in block.labels)])
    inner = [_attributes(block.attributes, level + 1)] if block.attributes else []
    inner += [_block(child, level + 1) for child in block.blocks]
    if not inner:
        return f"{pad}{head} {{}}\n"
    return f"{pad}{head} {{\n" + "\n".join(inner) + f"{pad}}}\n"


def _attributes(attributes: dict[str, Any], level: int) -> str:
    """Lines of one value each align; a value of several lines stands between two such groups."""
    pad, lines, group = "  " * level, [], list[tuple[str, str]]()
    for name, value in attributes.items():
        text = _value(value, level)
        group.append((name, text))
        if "\n" in text:
            lines += _aligned(group, pad)
            group = []
    return "".join(lines + _aligned(group, pad))


def _aligned(group: list[tuple[str, str]], pad: str) -> list[str]:
    """`terraform fmt` aligns neighbours of one line; one of several lines has a single blank."""
    short = [name for name, text in group if "\n" not in text]
    width = max((len(name) for name in short), default=0)
    return [f"{pad}{name if chr(10) in text else name.ljust(width)} = {text}\n" for name, text in group]


def _value(value: Any, level: int) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, dict):
        inner = _attributes({_key(name): item for name, item in value.items()}, level + 1)
        return "{\n" + inner + "  " * level + "}" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item, level) for item in value) + "]"
    return quoted(str(value))


def _key(name: str) -> str:
    return name if name.isidentifier() else quoted(name)
