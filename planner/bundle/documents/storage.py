"""Where weights lie in place of a volume for each pod: one volume for all, or the local drives of the servers.

A shared volume is written by one job and read by every engine; compiled kernels stay in each pod. A local folder is
a cache: a pod that finds the weights of an earlier one loads them, and fetches them otherwise.
"""

from __future__ import annotations

from planner.bundle.documents.engine import Start, image
from planner.bundle.documents.naming import Document, labels, metadata
from planner.bundle.documents.pods import (
    FETCH,
    model_variable,
    restricted,
    template_paths,
    token,
    user,
    weights_claim,
)
from planner.bundle.documents.subject import MODEL_VARIABLE, Pool, Subject

SHARED_PATH = "/weights"
LOCAL_PATH = "/var/lib/models"  # where host/nvme-raid.sh mounts the drives
COMPLETE = f'os.path.join("{SHARED_PATH}", os.environ["{MODEL_VARIABLE}"].strip("/").replace("/", "--") + ".complete")'
FETCH_ONCE = f"""{FETCH}
open({COMPLETE}, "w").close()
"""
WAIT = f"""\
import os
import time

while not os.path.exists({COMPLETE}):
    time.sleep(10)
"""


def shared(subject: Subject, start: Start) -> list[Document]:
    """Steps from volumes of their own to the shared one, read-only."""
    read = {"name": "weights", "mountPath": SHARED_PATH, "readOnly": True}
    claim = {"claimName": shared_name(subject), "readOnly": True}
    steps = [_no_claims(start.pool)]
    for base in template_paths(start.pool):
        engine = f"{base}/containers/0"
        values = [
            (f"{base}/volumes/-", {"name": "models", "emptyDir": {}}),
            (f"{base}/volumes/-", {"name": "weights", "persistentVolumeClaim": claim}),
            (f"{base}/initContainers/0/volumeMounts/-", read),
            (f"{engine}/volumeMounts/-", read),
            (f"{engine}/env/-", {"name": "HF_HUB_CACHE", "value": SHARED_PATH}),
            (f"{engine}/env/-", {"name": "HF_HUB_OFFLINE", "value": "1"}),
        ]
        steps += [{"op": "add", "path": path, "value": value} for path, value in values]
        steps.append(
            {"op": "replace", "path": f"{base}/initContainers/0/command", "value": ["python3", "-c", WAIT]},
        )
    return steps


def shared_objects(subject: Subject) -> dict[str, Document]:
    """The shared volume, and the job that fills it."""
    own = weights_claim(subject)["spec"]
    name = shared_name(subject)
    return {
        "claim.yaml": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(subject, name, "weights"),
            "spec": {**own, "accessModes": ["ReadWriteMany"]},
        },
        "fetch.yaml": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(subject, f"{subject.name}-fetch", "weights"),
            "spec": {
                "backoffLimit": 10,  # what is fetched stays, so each try goes on
                "template": {"metadata": {"labels": labels(subject, "weights")}, "spec": _fetcher(subject)},
            },
        },
    }


def shared_name(subject: Subject) -> str:
    """Claim of the shared volume."""
    return f"{subject.name}-weights"


def local(subject: Subject, start: Start) -> list[Document]:
    """Steps from volumes of their own to a folder of the server, which has to be there."""
    folder = {"path": local_folder(subject), "type": "Directory"}
    steps = [_no_claims(start.pool)]
    for base in template_paths(start.pool):
        steps.append({"op": "add", "path": f"{base}/volumes/-", "value": {"name": "models", "hostPath": folder}})
    return steps


def local_folder(subject: Subject) -> str:
    """Folder on the local drives of each server."""
    return f"{LOCAL_PATH}/{subject.name}"


def _fetcher(subject: Subject) -> Document:
    environment = [{"name": "HF_HOME", "value": "/tmp/hf"}, {"name": "HF_HUB_CACHE", "value": SHARED_PATH}]
    return {
        "restartPolicy": "OnFailure",
        "serviceAccountName": subject.name,
        "automountServiceAccountToken": False,
        "securityContext": user(subject),
        "containers": [
            {
                "name": "fetch-weights",
                "image": image(subject),
                "command": ["python3", "-c", FETCH_ONCE],
                "env": [*environment, token(), model_variable(subject)],
                "resources": {"requests": {"cpu": "2", "memory": "8G"}},
                "volumeMounts": [{"name": "weights", "mountPath": SHARED_PATH}],
                "securityContext": restricted(),
            }
        ],
        "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": shared_name(subject)}}],
    }


def _no_claims(pool: Pool) -> Document:
    group = "" if pool.nodes == 1 else "/leaderWorkerTemplate"
    return {"op": "remove", "path": f"/spec{group}/volumeClaimTemplates"}
