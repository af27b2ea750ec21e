"""Files of other formats against the tools that read them: YAML style, kustomizations, Compose, Terraform, shell."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from planner.bundle.finding import Bundle, Finding, Problems, parse_yaml
from planner.bundle.tools import custom, kubernetes
from planner.bundle.tools.program import Tool, content_with, output_of, package_version, program_version

DEV = "pip install 'llm-capacity-planner[dev]'"
# Widths and comments are for people; what is left changes meaning or hides a mistake.
STYLE = """
extends: default
rules: {line-length: disable, comments: disable, document-start: disable, truthy: {check-keys: false}}
"""


def _yamllint(bundle: Bundle, folder: Path) -> Problems:
    """yamllint finds nothing in any YAML file."""
    if importlib.util.find_spec("yamllint") is None:
        yield Finding("yamllint", "", "not_checked", f"yamllint is not installed: {DEV}")
        return
    from yamllint import config, linter

    rules = config.YamlLintConfig(STYLE)
    for name in bundle.parsed:
        for problem in list(linter.run(bundle.files[name], rules))[:3]:
            yield Finding("yamllint", name, "error", f"line {problem.line}: {problem.desc}")


def _kustomize(bundle: Bundle, folder: Path) -> Problems:
    """Every kustomization builds, and what its patches make of the objects satisfies the schemas."""
    for found in bundle.of_kind("Kustomization"):
        command = ["kubectl", "kustomize", found.file.rpartition("/")[0]]
        problem, built = output_of("kustomize", found.file, command, folder, "install kubectl")
        if problem is not None:
            yield problem
            continue
        made = Bundle({"k8s/built.yaml": built.encode()})
        for tool in (kubernetes.TOOLS["kubernetes-schema"], custom.TOOLS["custom-schema"]):
            for finding in tool.check(made, folder):
                yield replace(finding, rule="kustomize", file=found.file)


def _compose(bundle: Bundle, folder: Path) -> Problems:
    """compose.yaml satisfies the Compose specification."""
    if "compose.yaml" not in bundle.files:
        return
    try:
        from check_jsonschema.builtin_schemas import get_builtin_schema
        from jsonschema import Draft202012Validator
    except ImportError:
        yield Finding("compose", "compose.yaml", "not_checked", f"check-jsonschema is not installed: {DEV}")
        return
    documents = parse_yaml(bundle.files["compose.yaml"])
    body = documents[0] if isinstance(documents, list) and documents else None
    for error in list(Draft202012Validator(get_builtin_schema("vendor.compose-spec")).iter_errors(body))[:3]:
        where = ".".join(str(step) for step in error.path) or "compose.yaml"
        yield Finding("compose", "compose.yaml", "error", f"{where}: {error.message[:200]}")


def _terraform_format(bundle: Bundle, folder: Path) -> Problems:
    """terraform fmt would change nothing."""
    for name in _named(bundle, ".tf"):
        command = ["terraform", "fmt", "-check", "-diff", name]
        yield from content_with("terraform-format", name, command, folder, "install terraform")


def _terraform(bundle: Bundle, folder: Path) -> Problems:
    """Terraform files are HCL."""
    names = _named(bundle, ".tf")
    if not names:
        return
    try:
        import hcl2
    except ImportError:
        yield Finding("terraform", "terraform", "not_checked", f"python-hcl2 is not installed: {DEV}")
        return
    for name in names:
        try:
            hcl2.loads(bundle.files[name].decode() + "\n")
        except Exception as error:  # noqa: BLE001 - the parser raises its own and its library's errors
            yield Finding("terraform", name, "error", " ".join(str(error).split())[:200])


def _shellcheck(bundle: Bundle, folder: Path) -> Problems:
    """shellcheck finds nothing in any script."""
    for name in _named(bundle, ".sh"):
        yield from content_with("shellcheck", name, ["shellcheck", name], folder, "apt-get install shellcheck")


def _shellcheck_version() -> str:
    """The first line of `shellcheck --version` is its name."""
    if shutil.which("shellcheck") is None:
        return ""
    said = subprocess.run(["shellcheck", "--version"], capture_output=True, text=True, check=False).stdout
    return next((line.partition(": ")[2] for line in said.splitlines() if line.startswith("version: ")), "")


def _python(bundle: Bundle, folder: Path) -> Problems:
    """Python programs compile."""
    for name in _named(bundle, ".py"):
        try:
            compile(bundle.files[name], name, "exec")
        except (SyntaxError, ValueError) as error:
            yield Finding("python", name, "error", str(error)[:200])


def _json(bundle: Bundle, folder: Path) -> Problems:
    """JSON files can be read."""
    for name in _named(bundle, ".json"):
        try:
            json.loads(bundle.files[name])
        except (ValueError, RecursionError) as error:
            yield Finding("json", name, "error", str(error)[:200])


def _named(bundle: Bundle, ending: str) -> list[str]:
    return sorted(name for name in bundle.files if name.endswith(ending))


TOOLS: dict[str, Tool] = {
    "yamllint": Tool("yamllint", _yamllint, package_version("yamllint")),
    "kustomize": Tool("kubectl", _kustomize, program_version("kubectl", "version", "--client")),
    "compose": Tool("check-jsonschema", _compose, package_version("check-jsonschema")),
    "terraform-format": Tool("terraform", _terraform_format, program_version("terraform", "version")),
    "terraform": Tool("python-hcl2", _terraform, package_version("python-hcl2")),
    "shellcheck": Tool("shellcheck", _shellcheck, _shellcheck_version),
    "python": Tool("Python", _python, platform.python_version),
    "json": Tool("Python", _json, platform.python_version),
}
