#!/usr/bin/env bash
# Learn from the results of aiperf.sh: own.csv, for `planner plan --calibration own.csv`.
# Variables: RESULTS (folder), OWN (file to write), PLANNER (command).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$here/plan.env"

results=${RESULTS:-$here/results}
planner=${PLANNER:-planner}
shopt -s nullglob
files=("$results"/users_*/profile_export_aiperf.json)
if [[ ${#files[@]} -eq 0 ]]; then
  echo "calibrate.sh: no results in $results. First: bash $here/aiperf.sh" >&2
  exit 1
fi
"$planner" calibrate "${files[@]}" "${PLAN_LAYOUT[@]}" --out "${OWN:-$here/own.csv}" "$@"
