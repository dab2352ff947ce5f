"""Writes the files of an installation. Values that the files have stay, so a repeat only adds missing ones."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from deploy import compose, credentials
from deploy.compose import FOLDER, SECRETS, Files
from deploy.credentials import Credentials
from deploy.failure import LaunchError, explain_os_error

CREDENTIALS_FILE: Final = "credentials.json"
#: Compose reads it: the files that make up the system, and what it interpolates.
COMPOSE_FILE: Final = ".env"


def write(root: Path, environment: str, user: Mapping[str, str], known: Mapping[str, Any]) -> list[str]:
    """Write the files below ``root``; return a sentence for each value that the operator still has to set.

    ``user`` holds settings that take precedence over generated ones, ``known`` credentials of an older installation.
    Raises LaunchError if a file cannot be written, or was written for the other environment.
    """
    folder = root / FOLDER
    try:
        _require_environment(folder / "common.env", environment)
        for each in (folder, folder / SECRETS):
            each.mkdir(mode=0o700, exist_ok=True)
        wanted = compose.files(_credentials(folder / CREDENTIALS_FILE, known), environment, user)
        found = Files(
            env={name: _merge(folder / f"{name}.env", values) for name, values in wanted.env.items()},
            secrets={name: _secret(folder / SECRETS / name, value) for name, value in wanted.secrets.items()},
        )
        overlay = ":docker-compose.sandbox.yml" if environment == "sandbox" else ""
        _merge(root / COMPOSE_FILE, {"COMPOSE_FILE": f"docker-compose.yml{overlay}"})
    except OSError as error:
        raise explain_os_error(error, f"write to {folder}") from error
    return missing(found)


def missing(found: Files) -> list[str]:
    """Return a sentence for each value that the operator has to set."""
    common, payments = found.env["common"], found.env["payments"]
    sentences = []
    public_url = common["FASTCHECK_PUBLIC_URL"]
    if not public_url or (common["FASTCHECK_ENVIRONMENT"] == "production" and not public_url.startswith("https://")):
        sentences.append(f"FASTCHECK_PUBLIC_URL in {FOLDER}/common.env: the https:// URL of the gateway")
    for name in compose.required_by_banks(payments):
        secret = payments.get(f"{name}_FILE", "").removeprefix(f"{compose.MOUNTED}/")
        if secret and not found.secrets[secret]:
            sentences.append(f"{name} in the file {FOLDER}/{SECRETS}/{secret}: from the bank")
        elif not secret and not payments.get(name):
            sentences.append(f"{name} in {FOLDER}/payments.env: from the bank")
    return sentences


def _require_environment(path: Path, environment: str) -> None:
    lines = path.read_text().splitlines() if path.exists() else []
    found = dict(map(_parse, lines)).get("FASTCHECK_ENVIRONMENT", environment)
    if found != environment:
        raise LaunchError(f"{path.parent} is an installation of the other environment ({found}): move it away first.")


def _credentials(path: Path, known: Mapping[str, Any]) -> Credentials:
    stored = json.loads(path.read_text()) if path.exists() else dict(known)
    complete = credentials.complete(stored)
    _write(path, json.dumps(asdict(complete), indent=2) + "\n", mode=0o600)
    return complete


def _secret(path: Path, value: str) -> str:
    present = path.read_text().strip() if path.exists() else ""
    if not present:
        # Readable for the user of the container, to which it is mounted; the folder keeps other users of the host out.
        _write(path, value, mode=0o444)
    return present or value


def _merge(path: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Add to an env file what it does not say; return what it says then."""
    lines = path.read_text().splitlines() if path.exists() else []
    present = {name: value for name, value in map(_parse, lines) if name and value}
    added = {name: value for name, value in wanted.items() if name not in present}
    if added:
        rest = [line for line in lines if _parse(line)[0] not in added]
        _write(path, "\n".join([*rest, *(f"{name}='{value}'" for name, value in added.items())]) + "\n", mode=0o600)
    return {**present, **added}


def _parse(line: str) -> tuple[str, str]:
    name, equals, value = line.strip().partition("=")
    return (name, value.strip("'\"")) if equals and not name.startswith("#") else ("", "")


def _write(path: Path, content: str, *, mode: int) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as output:
        output.write(content)
    unfinished.chmod(mode)
    unfinished.replace(path)
