"""What the loopback hub does with uploads: repositories, large files, commits, model cards."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from hub_server import Hub

_NAME = r"([^/]+/[^/]+)"
_PREUPLOAD = re.compile(rf"^/api/models/{_NAME}/preupload/main$")
_COMMIT = re.compile(rf"^/api/models/{_NAME}/commit/main$")
_BATCH = re.compile(rf"^/{_NAME}\.git/info/lfs/objects/batch$")
_OBJECT = re.compile(r"^/lfs/([0-9a-f]{64})$")
_JSON = {"Content-Type": "application/json"}


@dataclass
class Reply:
    """An answer: its status, its body, its headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answer(
    method: str, path: str, headers: Mapping[str, str], body: bytes, hub: Hub
) -> Reply | None:
    """The answer to a request that uploads; None where it is none."""
    if method == "PUT" and (match := _OBJECT.match(path)):
        if hashlib.sha256(body).hexdigest() != match[1]:
            return Reply(400)
        hub.objects[match[1]] = body
        return Reply(200)
    if method != "POST":
        return None
    if path == "/api/validate-yaml":
        return _validated(json.loads(body)["content"])
    writes = (
        path == "/api/repos/create"
        or _PREUPLOAD.match(path)
        or _BATCH.match(path)
        or _COMMIT.match(path)
    )
    if not writes:
        return None
    if headers.get("Authorization") != f"Bearer {hub.token}":
        return Reply(401, b'{"error": "Invalid username or password."}', _JSON)
    if path == "/api/repos/create":
        return _created(json.loads(body), hub)
    if _PREUPLOAD.match(path):
        return _modes(json.loads(body)["files"])
    if _BATCH.match(path):
        return _places(json.loads(body)["objects"], hub)
    match = _COMMIT.match(path)
    assert match is not None
    return _committed(match[1], [json.loads(line) for line in body.splitlines() if line], hub)


def _reply(content: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode(), _JSON)


def _validated(content: str) -> Reply:
    """The hub's rules for a card that Mynah's touches (hub-docs, modelcard.md)."""
    found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    about = yaml.safe_load(found[1]) if found else {}
    errors = []
    for name in ("library_name", "pipeline_tag", "license"):
        if name in about and not isinstance(about[name], str):
            errors.append(f'"{name}" must be a string')
    for model in about.get("model-index", []):
        if not isinstance(model.get("name"), str):
            errors.append('"model-index[0].name" is required')
        for result in model.get("results", []):
            if not result.get("task", {}).get("type"):
                errors.append('"model-index[0].results[0].task.type" is required')
            if not {"type", "name"} <= set(result.get("dataset", {})):
                errors.append('"model-index[0].results[0].dataset" is incomplete')
            for metric in result.get("metrics", []):
                if not {"type", "value"} <= set(metric):
                    errors.append('"model-index[0].results[0].metrics" is incomplete')
    if errors:
        return Reply(400, "\n".join(errors).encode(), {"Content-Type": "text/plain"})
    return _reply({"errors": [], "warnings": []})


def _created(asked: dict[str, Any], hub: Hub) -> Reply:
    name = f"{asked['organization']}/{asked['name']}"
    if hub.holds("models", name):
        return _reply({"error": "You already created this model repo", "url": name}, 409)
    if asked.get("private") or asked.get("visibility") == "private":
        hub.private.add(name)
    _write(name, {}, hub)
    return _reply({"url": f"{hub.address}/{name}", "name": name, "id": "0"})


def _modes(files: list[dict[str, Any]]) -> Reply:
    def mode(name: str) -> str:
        return "lfs" if name.endswith((".safetensors", ".bin")) else "regular"

    return _reply(
        {
            "files": [
                {"path": one["path"], "uploadMode": mode(one["path"]), "shouldIgnore": False}
                for one in files
            ]
        }
    )


def _places(objects: list[dict[str, Any]], hub: Hub) -> Reply:
    found = []
    for one in objects:
        place = {"href": f"{hub.address}/lfs/{one['oid']}", "header": {}}
        found.append({**one, "actions": {"upload": place}})
    return Reply(
        200,
        json.dumps({"transfer": "basic", "objects": found}).encode(),
        {"Content-Type": "application/vnd.git-lfs+json"},
    )


def _committed(name: str, lines: list[dict[str, Any]], hub: Hub) -> Reply:
    files = {}
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[value["path"]] = hub.objects[value["oid"]]
    commit = _write(name, files, hub)
    address = f"{hub.address}/{name}/commit/{commit}"
    return _reply({"success": True, "commitOid": commit, "commitUrl": address, "hookOutput": ""})


def _write(name: str, files: Mapping[str, bytes], hub: Hub) -> str:
    """A new commit of a repository: the one before, and these files."""
    repository = hub.cache / f"models--{name.replace('/', '--')}"
    reference = repository / "refs" / "main"
    before = reference.read_text() if reference.is_file() else None
    named = repr(sorted((path, hashlib.sha1(one).hexdigest()) for path, one in files.items()))
    commit = hashlib.sha1(f"{name} {before} {named}".encode()).hexdigest()
    snapshot: Path = repository / "snapshots" / commit
    if before is None:
        snapshot.mkdir(parents=True)
    else:
        shutil.copytree(repository / "snapshots" / before, snapshot)
    for path, content in files.items():
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).write_bytes(content)
    reference.parent.mkdir(exist_ok=True)
    reference.write_text(commit)
    return commit
