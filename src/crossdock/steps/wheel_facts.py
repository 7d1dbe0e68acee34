"""What a build needs to know of a wheel without having it: its size, its scripts, and where its files are.

These facts are true for a wheel's SHA-256 for ever. They are kept in the store, and beside the layers of a pushed
image, so that a machine that has neither the wheel nor the layer need not download them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.store.actions import action_key
from crossdock.wheels.scheme import SCHEME_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.wheels.scheme import Scheme

__all__ = ["WheelFacts", "facts_of_wheel", "meeting_wheels", "places_of", "read_wheel_facts"]

#: How many places of a wheel are worth being listed; one that is all over the tree is looked at itself.
_MOST_PLACES = 200
_LONGEST_TEXT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFacts:
    """Facts about one wheel, installed by one scheme.

    Attributes:
        size: Bytes of the wheel.
        site_packages: Where the scheme puts packages: facts read by another scheme say nothing about places.
        scripts: Names of its console scripts, sorted.
        places: Paths that between them hold all it installs, sorted: files, and folders that hold files themselves.
            Two wheels of which no place is, or is inside, one of the other's cannot write the same path. None if there
            are too many to list.
    """

    size: int
    site_packages: str
    scripts: tuple[str, ...]
    places: tuple[str, ...] | None

    def to_json(self) -> dict[str, JSON]:
        """Give values that `from_json` reads."""
        places: JSON = None if self.places is None else list(self.places)
        return {
            "size": self.size,
            "site_packages": self.site_packages,
            "scripts": list(self.scripts),
            "places": places,
        }

    @classmethod
    def from_json(cls, value: Any) -> WheelFacts:  # noqa: ANN401
        """Read what `to_json` gave.

        Raises:
            ValueError: It is not that.
        """
        try:
            size, where = value["size"], value["site_packages"]
            scripts, places = value["scripts"], value["places"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the facts of a wheel: {error}") from None
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 50:
            raise ValueError("a wheel has no size")
        if not isinstance(where, str) or not _are_texts(scripts):
            raise ValueError("a wheel's scripts are no list of texts")
        if places is not None and not (_are_texts(places) and len(places) <= _MOST_PLACES):
            raise ValueError("a wheel's places are no list of texts")
        listed = None if places is None else tuple(places)
        return cls(size=size, site_packages=where, scripts=tuple(scripts), places=listed)


def read_wheel_facts(store: Store, filename: str, sha256: str, scheme: Scheme) -> WheelFacts | None:
    """Give the facts of a wheel that is in the store, or of which they were read before; else None.

    Raises:
        WheelError: The wheel cannot be read.
    """
    key = _key(sha256, scheme)
    try:
        return WheelFacts.from_json(store.action(key))
    except ValueError:
        pass
    if store.find(sha256) is None:
        return None
    facts = facts_of_wheel(store.path(sha256), filename, scheme)
    store.record(key, facts.to_json())
    return facts


def facts_of_wheel(path: Path, filename: str, scheme: Scheme) -> WheelFacts:
    """Read the facts of a wheel.

    Args:
        path: The wheel.
        filename: What to call it in messages.
        scheme: How it is to be installed.

    Raises:
        WheelError: The wheel cannot be read.
    """
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.install import install
    from crossdock.wheels.metadata import read_metadata

    with WheelArchive(path, filename) as archive:
        return WheelFacts(
            size=archive.size,
            site_packages=scheme.site_packages,
            scripts=tuple(sorted({point.name for point in read_metadata(archive).entry_points})),
            places=places_of((item.path for item in install(archive, scheme)), scheme),
        )


def meeting_wheels(places: Mapping[str, tuple[str, ...] | None], reserved: Iterable[str]) -> set[str]:
    """Find the wheels that may write a path of another one, or a reserved path.

    Args:
        places: Each wheel's, by whatever names it.
        reserved: Paths no wheel may write.
    """
    if None in places.values():
        return set(places)
    owners: dict[str, set[str]] = {path: {""} for path in reserved}
    for name, own in places.items():
        for place in own or ():
            owners.setdefault(place, set()).add(name)
    meeting: set[str] = set()
    for place, names in owners.items():
        if len(names) > 1:
            meeting |= names
        for folder in _above(place):
            others = owners.get(folder, set())
            if others and (len(names | others) > 1):
                meeting |= names | others
    return meeting - {""}


def _key(sha256: str, scheme: Scheme) -> str:
    where = [scheme.prefix, scheme.site_packages, scheme.scripts, scheme.data, scheme.headers]
    return action_key("wheel-facts/1", version=SCHEME_VERSION, wheel=sha256, scheme=list(where))


def places_of(paths: Iterable[str], scheme: Scheme) -> tuple[str, ...] | None:
    """List the highest folders that hold files themselves; in the folders all wheels share, each file.

    Args:
        paths: All files of a wheel, as installed.
        scheme: How it was installed.

    Returns:
        The places, sorted; None if there are too many.
    """
    shared = {scheme.prefix, scheme.site_packages, scheme.scripts, *_above(scheme.site_packages), ""}
    files = list(paths)
    holding = {path.rpartition("/")[0] for path in files} - shared
    places = {path if path.rpartition("/")[0] in shared else _highest(path, holding) for path in files}
    return tuple(sorted(places)) if len(places) <= _MOST_PLACES else None


def _highest(path: str, holding: set[str]) -> str:
    return next(folder for folder in reversed(list(_above(path))) if folder in holding)


def _above(path: str) -> Iterator[str]:
    """Give the folders above a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _is_text(item) for item in value)


def _is_text(text: str) -> bool:
    """Whether a text is short enough, and can be written: JSON can spell halves of characters, which UTF-8 cannot."""
    return len(text) <= _LONGEST_TEXT and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))
