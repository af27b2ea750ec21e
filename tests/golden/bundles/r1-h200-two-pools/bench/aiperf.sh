#!/usr/bin/env bash
# Measure one replica at the numbers of users in plan.env. Needs AIPerf on the path.
# Variables that replace the plan's: URL, TOKENIZER, USERS, REQUESTS_PER_USER, INPUT_TOKENS, OUTPUT_TOKENS; and RESULTS
# (folder to make), AIPERF (command). Options go to AIPerf as they are.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$here/plan.env"

url=${URL:-$PLAN_URL}
tokenizer=${TOKENIZER:-$PLAN_TOKENIZER}
results=${RESULTS:-$here/results}
aiperf=${AIPERF:-aiperf}
read -r -a users <<<"${USERS:-$PLAN_USERS}"

if ! command -v "$aiperf" >/dev/null; then
  echo "aiperf.sh: no $aiperf. Install it in an environment of its own: pip install aiperf==$PLAN_AIPERF" >&2
  exit 1
fi
if [[ -e $results ]]; then
  echo "aiperf.sh: $results is there already; measurements are never mixed. Move it, or set RESULTS." >&2
  exit 1
fi

for count in "${users[@]}"; do
  # A closed loop of equal requests: what the planner predicts best, and what tells its parts apart.
  "$aiperf" profile \
    --model "$PLAN_MODEL" --url "$url" --endpoint-type completions --streaming \
    --tokenizer "$tokenizer" --use-server-token-count \
    --concurrency "$count" --request-count "$((count * ${REQUESTS_PER_USER:-$PLAN_REQUESTS_PER_USER}))" \
    --warmup-request-count 1 \
    --isl "${INPUT_TOKENS:-$PLAN_INPUT_TOKENS}" --osl "${OUTPUT_TOKENS:-$PLAN_OUTPUT_TOKENS}" \
    --extra-inputs ignore_eos:true --random-seed 1 \
    --ui none --no-gpu-telemetry --artifact-dir "$results/users_$count" "$@"
done
echo "Results are in $results."
