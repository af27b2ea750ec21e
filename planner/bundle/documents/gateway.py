"""HAProxy before the fleet: admission, breaker, correctness checks, replay and the degraded backup.

Why each replica has a listener of its own in front of it: engines send the headers of a streamed answer at once and
the first token later. HAProxy's observer looks at headers only, so a replica that never sends a token would look
healthy (seen with 2.6: seven such answers, no mark-down). The listener waits for the first byte of the answer and
turns its absence into a 504, which the observer of the layer above counts.

References: HAProxy configuration manual 2.6 ("observe", "error-limit", "on-error", "http-response wait-for-body",
"retry-on", "http-check expect", "tune.bufsize"); haproxy issue 2679: before 3.1 the observer does not see an answer
that is retried, hence no retry on 504.
"""

from __future__ import annotations

import json
import math

from planner.bundle.documents import operation
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.operation import Operation
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject

FILE = "gateway/haproxy.cfg"
PORT = 8080
METRICS_PORT = 8405
CLUSTER_DOMAIN = "default.svc.cluster.local"

REPLAYS = 2
FAST_CHECK_S = 2  # after a first failed check
DOWN_CHECK_S = 10
CHECKS_TO_RETURN = 3
CHECKS_TO_FALL = 2
RETURN_RAMP_S = 30
BYTES_PER_TOKEN = 8  # of a prompt in JSON: 4 of English text, up to 9 of Chinese written as \\uXXXX
LEAST_BUFFER_BYTES, MOST_BUFFER_BYTES = 2**15, 2**20
SESSION_HEADER = "X-Session-Id"
KIND_HEADER = "X-Gateway-Answer"


def write(draft: Draft) -> Files:
    """The gateway's configuration."""
    return {FILE: haproxy_cfg(draft.subject)}


def haproxy_cfg(subject: Subject) -> str:
    """Configuration of HAProxy 2.6 or newer."""
    op = operation.operate(subject)
    replicas = [_replica(subject, op, number) for number in range(len(op.hosts))]
    sections = [
        _global(subject, op),
        _defaults(op),
        _RESOLVERS,
        _frontend(),
        _backend(subject, op),
        *replicas,
        _METRICS,
    ]
    return _HEAD + "\n\n".join(section.strip("\n") for section in sections) + "\n"


def check_body(op: Operation) -> str:
    """JSON of the correctness check: the same question as the probe asks."""
    asked = {
        "model": op.served_name,
        "prompt": operation.CHECK_PROMPT,
        "max_tokens": operation.CHECK_TOKENS,
        "temperature": 0,
    }
    return json.dumps(asked, separators=(",", ":"))


def buffer_bytes(context_tokens: int) -> int:
    """Room for a whole request: only what fits can be replayed, or asked whether it streams. [B]"""
    wanted = int(2 ** math.ceil(math.log2(BYTES_PER_TOKEN * context_tokens)))
    return min(max(wanted, LEAST_BUFFER_BYTES), MOST_BUFFER_BYTES)


def quoted(text: str) -> str:
    """A word of the configuration in double quotes; the one variable that stays one names the checkpoint."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace(f"\\${{{MODEL_VARIABLE}}}", f"${{{MODEL_VARIABLE}}}") + '"'


def _global(subject: Subject, op: Operation) -> str:
    connections = 2 * len(op.hosts) * op.most_in_service + 1000
    return f"""
global
  log stdout format raw local0 info
  maxconn {connections}
  # A request is held whole, so that it can be replayed: {subject.plan.layout.max_context_tokens} tokens of context.
  tune.bufsize {buffer_bytes(subject.plan.layout.max_context_tokens)}
"""


def _defaults(op: Operation) -> str:
    return f"""
defaults
  mode http
  log global
  option httplog
  option dontlognull
  option http-buffer-request
  timeout connect 1s
  timeout http-request 10s
  timeout client {op.answer_limit_s + 5}s
  timeout queue {_ms(op.ttft_limit_s)}  # a request that waited so long has missed the promise
  timeout check {_ms(op.check_timeout_s)}  # below the promised time to first token
  http-error status 502 content-type application/json string {_error("The replica ended without an answer.")}
  http-error status 503 content-type application/json string {_error("No replica is free.")} hdr Retry-After 1
  http-error status 504 content-type application/json string {_error("The first token is late.")} hdr Retry-After 1
"""


def _frontend() -> str:
    return f"""
frontend requests
  bind "${{GATEWAY_BIND-:{PORT}}}"
  http-request return status 200 content-type text/plain string ok if {{ path /health }} {{ nbsrv(replicas) gt 0 }}
  http-request deny deny_status 503 if {{ path /health }}
  http-request deny deny_status 404 unless {{ path_beg /v1/ }}  # the engine's other paths are not for clients
  http-request set-header {KIND_HEADER} whole
  http-request set-header {KIND_HEADER} stream if {{ req.body,json_query('$.stream') -m bool }}
  default_backend replicas
"""


def _backend(subject: Subject, op: Operation) -> str:
    servers = [f"  server replica-{n} abns@{subject.name}-{n}" for n in range(len(op.hosts))]
    backup = f"{op.backup_host}.{CLUSTER_DOMAIN}:{subject.engine.port}"
    return "\n".join(
        [
            "backend replicas",
            *_balance(subject),
            f"  timeout server {op.answer_limit_s + 1}s  # the listeners below are stricter",
            f"  retries {REPLAYS}",
            "  option redispatch 1  # a replay goes to another replica",
            "  retry-on conn-failure empty-response 502 503  # nothing has reached the client yet",
            "  option httpchk",
            "  http-check connect",
            "  http-check send meth POST uri /v1/completions ver HTTP/1.1 hdr Host gateway "
            f"hdr Content-Type application/json body {quoted(check_body(op))}",
            f"  http-check expect rstring {quoted(_expected())}",
            "  http-response set-header X-Served-By %s  # `backup` tells clients that the answer is degraded",
            *_checks(op),
            "  # The smaller model answers under the same name while no replica is up; see RUNBOOK.md.",
            f'  server backup "${{BACKUP-{backup}}}" backup {_resolved()}',
            f"  # {operation.BREAKER_ERRORS} late or failed answers in a row take a replica out; "
            f"{CHECKS_TO_RETURN} right answers to the check bring it back.",
            f"  default-server observe layer7 error-limit {operation.BREAKER_ERRORS} on-error mark-down "
            f'slowstart "${{RETURN_RAMP-{RETURN_RAMP_S}s}}"',
            *servers,
        ]
    )


def _balance(subject: Subject) -> list[str]:
    """Conversations stay with their replica where the plan counts on its prefix cache, unless it is overloaded."""
    if not subject.result.workload.traffic.prefix_hit_rate:
        return ["  balance leastconn"]
    return [
        f"  balance hdr({SESSION_HEADER})  # prefix cache: a conversation comes back to its replica",
        "  hash-type consistent",
        "  hash-balance-factor 150",
    ]


def _checks(op: Operation) -> list[str]:
    return [
        f'  default-server check inter "${{CHECK_EVERY-{operation.CHECK_EVERY_S}s}}" fastinter {FAST_CHECK_S}s '
        f'downinter "${{CHECK_DOWN_EVERY-{DOWN_CHECK_S}s}}" fall {CHECKS_TO_FALL} rise {CHECKS_TO_RETURN}',
        "  # Requests in service at the largest load that keeps the promise, at its slowest; more wait here.",
        f"  default-server maxconn {op.most_in_service}",
    ]


def _replica(subject: Subject, op: Operation, number: int) -> str:
    address = f"{op.hosts[number]}.{CLUSTER_DOMAIN}:{subject.engine.port}"
    return f"""
listen replica-{number}
  bind abns@{subject.name}-{number}
  option dontlog-normal
  retries 0  # a replica that refuses is answered for at once, and the layer above asks another
  timeout server {_ms(op.ttft_limit_s)}  # promised time to first token
  http-request set-timeout server {op.answer_limit_s}s if {{ req.hdr({KIND_HEADER}) whole }}  # comes as a whole
  http-request del-header {KIND_HEADER}
  http-response wait-for-body time {op.answer_limit_s}s at-least 1
  server engine "${{REPLICA_{number}-{address}}}" {_resolved()}
"""


def _resolved() -> str:
    """Start without an address and take it from the DNS when it appears."""
    return "resolvers cluster init-addr none"


def _expected() -> str:
    """The answer anywhere in the text: engines differ in blanks, and in what they say before it."""
    return f'"text": *"[^"]*{operation.CHECK_ANSWER}'


def _error(message: str) -> str:
    return quoted(json.dumps({"error": {"message": message, "type": "overloaded_error", "code": None}}))


def _ms(seconds: float) -> str:
    return f"{math.floor(seconds * 1000)}ms"


_HEAD = """\
# HAProxy 2.6 or newer. Written by llm-capacity-planner from plan.json; RUNBOOK.md says what to do when it acts.
# Outside Kubernetes, or in another namespace than `default`, name the addresses in the environment:
# REPLICA_0, REPLICA_1, ... and BACKUP as host:port, GATEWAY_BIND and METRICS_BIND as address:port.
# Plain HTTP: end TLS before it, or add `ssl crt FILE` to the line `bind`.

"""

_RESOLVERS = """
resolvers cluster
  parse-resolv-conf
  hold valid 5s
  hold nx 5s  # a replica that drains leaves the DNS; no new request goes there
  hold obsolete 5s
"""

_METRICS = f"""
frontend metrics
  bind "${{METRICS_BIND-:{METRICS_PORT}}}"
  http-request use-service prometheus-exporter if {{ path /metrics }}
  http-request deny deny_status 404
"""
