"""A hub's JSON that is kept in a repository, as its reader finds it: anything may be in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.document import VERSION
from crossdock.errors import StaleHubError
from crossdock.locks import LockedFile
from crossdock.locks.files import parse_wheel
from crossdock.store.pages import safe_filename

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.locks import Package

__all__ = ["RENEW", "Kept", "read_hub", "table"]

RENEW = "run `crossdock bazel lock`, and commit what it writes"


class Kept:
    """What `crossdock bazel lock` wrote, or what has become of it.

    Args:
        document: The JSON.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @property
    def targets(self) -> list[str]:
        """The targets that it was made for, as they are spelled."""
        spellings = [table(facts).get("spelling") for facts in table(self.document.get("targets")).values()]
        return [text for text in spellings if isinstance(text, str)]

    def parts(self, kind: str) -> list[str]:
        """Give the extras or groups that were named when it was made."""
        return list(_texts(table(self.document.get("asked")).get(kind)))

    @property
    def inputs(self) -> object:
        """The hash of what it was made from; None if the lock tells all of that."""
        return table(self.document.get("lock")).get("inputs")

    def candidates(self, package: Package) -> tuple[LockedFile, ...]:
        """Give the files that were found for a package whose lock has their hashes alone."""
        found = []
        for sha256, file in table(self.document.get("files")).items():
            name, size = table(file).get("filename"), table(file).get("size")
            if sha256 not in package.hashes or not isinstance(name, str) or not safe_filename(name):
                continue
            wheel = parse_wheel(name)
            if wheel is not None and wheel[0] == package.name and package.version in (None, str(wheel[1])):
                found.append(LockedFile(filename=name, sha256=sha256, size=size if type(size) is int else None))
        return tuple(sorted(found, key=lambda file: file.filename))

    def extras(self, node: str, target: str) -> list[str]:
        """Give the extras that a package was found to have for a target."""
        extras = table(self._package(node).get("extras"))
        return sorted(extra for extra, needs in extras.items() if target in table(needs))

    def needs(self, item: str, target: str) -> tuple[str, ...]:
        """Give what a package, or an extra of one as ``NAME[EXTRA]``, was found to need."""
        node, _, extra = item.partition("[")
        package = self._package(node)
        by_target = table(package.get("extras")).get(extra.removesuffix("]")) if extra else package.get("deps")
        return _texts(table(by_target).get(target))

    def missing(self, node: str, target: str) -> str | None:
        """Give why no wheel of a package was found."""
        text = table(self._package(node).get("missing")).get(target)
        return text if isinstance(text, str) else None

    def _package(self, node: str) -> Mapping[str, Any]:
        return table(table(self.document.get("packages")).get(node))


def read_hub(path: Path) -> Kept:
    """Read what `crossdock bazel lock` wrote.

    Raises:
        StaleHubError: There is none, or none of this version of the format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StaleHubError(f"There is no {path}", hint=RENEW) from None
    except OSError as error:
        raise StaleHubError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise StaleHubError(f"{path} is not JSON", why=str(error)[:200], hint=RENEW) from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise StaleHubError(
            f"{path} is not what this version of crossdock writes", why=f"'version' is not {VERSION}", hint=RENEW
        )
    return Kept(document)


def table(value: object) -> Mapping[str, Any]:
    """Give an object of JSON; an empty one for whatever else is there."""
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
