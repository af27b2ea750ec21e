"""The script that reads an engine's argument names from its wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.refresh_flags import names


def wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_vllm_names(tmp_path: Path) -> None:
    """Literal names, fields of the front end, and the opposite of whatever is true or false."""
    sources = {
        "vllm/config/model.py": "class ModelConfig:\n    enforce_eager: bool = False\n    hf_token: bool | str = ''\n",
        "vllm/engine/arg_utils.py": "g.add_argument('--enforce-eager', **kw['enforce_eager'])\n"
        "g.add_argument('--hf-token', **kw['hf_token'])\ng.add_argument('model')\n",
        "vllm/entrypoints/openai/cli_args.py": "class FrontendArgs:\n    allowed_origins: list[str] = []\n",
    }
    found = names("vllm", wheel(tmp_path / "v.whl", sources))
    assert found == {"--enforce-eager", "--no-enforce-eager", "--hf-token", "--allowed-origins"}


def test_sglang_names(tmp_path: Path) -> None:
    """Annotated fields with their aliases and other spellings; plain ones are no arguments."""
    source = (
        "class ServerArgs:\n"
        "    model_path: A[str, Arg(help='', aliases=['--model'])]\n"
        "    fp8_backend: A[str, Arg(help='', cli_name='--fp8-gemm')] = 'auto'\n"
        "    loggers: dict | None = None\n"
        "    hidden: A[str, Arg(no_cli=True)] = ''\n"
    )
    found = names("sglang", wheel(tmp_path / "s.whl", {"sglang/srt/server_args.py": source}))
    assert found == {"--model-path", "--model", "--fp8-gemm"}
