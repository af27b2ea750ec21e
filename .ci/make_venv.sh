#!/bin/sh
# Create the virtual environment $1 with Python 3.11 or newer, PYTHON if that is set.
# Python and pip are enough: where a distribution splits `ensurepip` off, the system's pip fills in.
set -eu
target=$1

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

find_python() {
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
}

python=$(find_python)
if [ -z "$python" ]; then
  fail "Python 3.11 or newer is needed; ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true)." \
    "  Install one (Debian 12, Ubuntu 24.04: apt-get install python3 python3-pip), or name it: make run PYTHON=/path/to/python3.12"
fi

echo "Creating $target with $("$python" --version)"
if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  "$python" -m venv --clear "$target"
elif "$python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv --clear --without-pip "$target"
  "$python" -m pip --python "$target/bin/python" install --quiet --disable-pip-version-check pip ||
    fail "pip could not be installed into $target; with a pip older than 22.3, install the venv package (Debian, Ubuntu: apt-get install python3-venv)."
else
  fail "$python has neither pip nor ensurepip, so no virtual environment can be made." \
    "  Debian, Ubuntu: apt-get install python3-venv"
fi
