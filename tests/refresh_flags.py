"""Writes the list of an engine's argument names again, from the engine's own wheel.

    pip download --no-deps vllm==0.20.0 && python tests/refresh_flags.py vllm vllm-0.20.0-*.whl [--check]

The sources are parsed, not run: neither engine starts without its accelerator libraries. TensorRT-LLM publishes no
sources on PyPI for 1.2.1; its list names the commit that it was read from.
"""

from __future__ import annotations

import argparse
import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

FLAGS = Path(__file__).resolve().parent.parent / "planner" / "bundle" / "flags"
SOURCES = {
    "vllm": ("vllm/engine/arg_utils.py", "vllm/entrypoints/openai/cli_args.py", "vllm/entrypoints/cli/serve.py"),
    "sglang": ("sglang/srt/server_args.py",),
}
CLASSES = ("BaseFrontendArgs", "FrontendArgs", "ServerArgs")
TYPES = {"vllm": ("vllm/config/", "vllm/engine/arg_utils.py", "vllm/entrypoints/openai/cli_args.py")}


def names(engine: str, wheel: Path) -> set[str]:
    """Long argument names in the sources of a wheel; boolean ones of vLLM also with `--no-`."""
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if name.endswith(".py")]
        trees = {name: ast.parse(archive.read(name)) for name in files if name.startswith(SOURCES[engine])}
        fields = {
            name: ast.parse(archive.read(name)) for name in files if name.startswith(TYPES.get(engine, ("none",)))
        }
    boolean = {name for tree in fields.values() for name in _boolean_fields(tree)}
    found: set[str] = set()
    for tree in trees.values():
        for name, key in (*_added(tree), *_fields(tree)):
            found.add(name)
            if engine == "vllm" and (key or name[2:].replace("-", "_")) in boolean:
                found.add(f"--no-{name[2:]}")
    return found


def _added(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names given to `add_argument`, with the key of `**kwargs["key"]` where there is one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") not in ("add_argument", "A"):
            continue
        keys = [k.value.slice for k in node.keywords if k.arg is None and isinstance(k.value, ast.Subscript)]
        key = next((k.value for k in keys if isinstance(k, ast.Constant)), "")
        for argument in node.args:
            if isinstance(argument, ast.Constant) and str(argument.value).startswith("--"):
                yield str(argument.value), str(key)


def _fields(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that follow from the attributes of the classes in CLASSES, with their aliases."""
    for found in ast.walk(tree):
        if not isinstance(found, ast.ClassDef) or found.name not in CLASSES:
            continue
        for node in found.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                told = {k.arg: k.value for part in ast.walk(node.annotation) for k in getattr(part, "keywords", ())}
                plain = found.name == "ServerArgs" and not ast.unparse(node.annotation).startswith("A[")
                if plain or "ClassVar" in ast.unparse(node.annotation) or "no_cli" in told:
                    continue
                name = f"--{node.target.id.replace('_', '-')}"
                yield str(ast.literal_eval(told["cli_name"])) if "cli_name" in told else name, node.target.id
                yield from ((str(ast.literal_eval(one)), "") for one in getattr(told.get("aliases"), "elts", ()))


def _boolean_fields(tree: ast.AST) -> Iterator[str]:
    """Annotated attributes whose type is bool or may be."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            parts = ast.unparse(node.annotation).replace("|", " ").replace("[", " ").replace("]", " ").split()
            if "bool" in parts and "str" not in parts:
                yield node.target.id


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=SOURCES)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if they differ")
    given = parser.parse_args()
    path = FLAGS / f"{given.engine}.txt"
    lines = path.read_text("utf-8").splitlines()
    head, old = [line for line in lines if line.startswith("#")], {line for line in lines if not line.startswith("#")}
    new = names(given.engine, given.wheel)
    sys.stdout.write(f"{len(new)} names; new {sorted(new - old)}; gone {sorted(old - new)}\n")
    if given.check:
        return int(new != old)
    path.write_text("\n".join([*head, *sorted(new)]) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
