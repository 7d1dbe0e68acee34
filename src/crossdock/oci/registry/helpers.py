"""Credential helpers: programs named ``docker-credential-NAME`` that keep credentials (docker's helper protocol)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from crossdock.errors import RegistryConfigError
from crossdock.oci.registry.accounts import Account
from crossdock.store.urls import scrub

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ask_helper"]

# It becomes part of a program's name, and must not lead to another folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_SECONDS = 60.0
_MOST_BYTES = 1 << 16
# What helpers answer when they know nothing; all of them share one library for that.
_UNKNOWN = "credentials not found"
# A user name that says that the secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105


def ask_helper(name: str, server: str, *, named_in: str, environ: Mapping[str, str]) -> Account | None:
    """Ask a helper for the credentials of a server; None if it has none.

    Args:
        name: Its name, without ``docker-credential-``.
        server: What it may know the registry by.
        named_in: The file that names the helper, for messages.
        environ: Environment variables; PATH says where the helper is.

    Raises:
        RegistryConfigError: There is no such program, or it fails.
    """
    program = f"docker-credential-{name}"
    if not _NAME.fullmatch(name):
        raise RegistryConfigError(
            f"{named_in} names a credential helper that cannot be one",
            why=f"{name[:100]!r} is no part of a program's name",
            hint="correct credHelpers or credsStore in that file",
        )
    found = shutil.which(program, path=environ.get("PATH", os.defpath))
    if found is None:
        raise RegistryConfigError(
            f"the credential helper {program} is not on PATH",
            why=f"{named_in} says that it keeps the credentials of {server}",
            hint=f"install {program}, or take it out of credHelpers or credsStore in that file",
        )
    done = _run(found, program, server, environ)
    if done.returncode != 0:
        said = _said(done)
        if _UNKNOWN in said.lower():
            return None
        raise _failed(program, f"it ended with exit code {done.returncode}" + (f": {said}" if said else ""))
    return _account(program, done.stdout)


def _run(found: str, program: str, server: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [found, "get"],
            input=f"{server}\n".encode(),
            capture_output=True,
            timeout=_SECONDS,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(program, f"it did not answer within {_SECONDS:g} seconds") from None
    except OSError as error:
        raise _failed(program, error.strerror or str(error)) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the first line of a failing helper; errors come on stdout, where credentials would, too."""
    for output in (done.stdout, done.stderr):
        lines = output[:_MOST_BYTES].decode(errors="replace").strip().splitlines()
        if lines and "secret" not in lines[0].lower() and not lines[0].startswith("{"):
            return scrub(lines[0])[:200]
    return ""


def _account(program: str, output: bytes) -> Account:
    try:
        answer = json.loads(output) if len(output) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        answer = None
    user, secret = (answer.get(key) for key in ("Username", "Secret")) if isinstance(answer, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _failed(program, "its answer is not an object with Username and Secret")
    if user == _TOKEN_USER:
        return Account(source=program, identity_token=secret)
    return Account(source=program, user=user, password=secret)


def _failed(program: str, why: str) -> RegistryConfigError:
    return RegistryConfigError(
        f"the credential helper {program} fails",
        why=why,
        hint=f"run `{program} list` to see what is wrong with it, or log in again",
    )
