"""What a user names as a target: a platform, a runtime or a file, with or without a Python."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import TargetError, UnknownTargetError
from crossdock.targets.platform import Platform, parse_platform
from crossdock.targets.python import parse_python
from crossdock.targets.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from crossdock.targets.platform import Libc
    from crossdock.targets.python import Python
    from crossdock.targets.runtimes import Runtime
    from crossdock.targets.tags import LibcPolicy

__all__ = ["TargetSpec", "parse_target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """A target as it is named, which may leave the Python open.

    Attributes:
        text: What the user wrote.
        platform: The platform.
        python: The Python it brings; None if whoever builds decides.
        marker_values: Markers a complete platform tells, or that it does not know (empty values).
        given_tags: A complete platform's wheel tags.
        name: Name of the runtime, with its architecture, or of the file; empty for a spelled platform.
    """

    text: str
    platform: Platform
    python: Python | None = None
    marker_values: tuple[tuple[str, str], ...] = ()
    given_tags: tuple[Tag, ...] | None = None
    name: str = ""

    def target(
        self,
        python: Python | None = None,
        *,
        libc: Libc | None = None,
        libc_policy: LibcPolicy = "newest",
        marker_values: Iterable[tuple[str, str]] = (),
    ) -> Target:
        """Complete this to a target.

        Args:
            python: The Python, where this leaves it open or says a series only; the exact one of the same series is
                taken, another is an error.
            libc: The C library of what it is built on, in place of the platform's.
            libc_policy: See `Target`.
            marker_values: Markers and values that replace all others.

        Raises:
            TargetError: There is no Python, or two different ones.
        """
        platform = self.platform if libc is None or self.platform.os != "linux" else self.platform.with_libc(libc)
        return Target(
            platform,
            self._python(python),
            libc_policy=libc_policy,
            marker_values=tuple({**dict(self.marker_values), **dict(marker_values)}.items()),
            given_tags=self.given_tags,
            name=self.name,
        )

    def _python(self, asked: Python | None) -> Python:
        own = self.python
        if own is None:
            if asked is None:
                raise TargetError(
                    f"The target {self.text} does not say which Python it runs",
                    why="nothing binds it to one",
                    hint="name a Python, as in --python 3.12",
                )
            return asked
        if asked is None:
            return own
        if (own.implementation, own.version, own.abi) != (asked.implementation, asked.version, asked.abi):
            raise TargetError(
                f"The target {self.text} runs {own.command}, not {asked.command}",
                why=f"{self.name or self.text} brings its own Python, and another was asked for",
                hint=f"ask for {own.command}, or name the platform alone: {self.platform.spelling}",
            )
        # What is exactly known of the interpreter wins over a series; but a file's markers are those it was made with.
        return own if self.given_tags is not None else asked


def parse_target(text: str, folder: Path = Path()) -> TargetSpec:
    """Read a target as users name it.

    Args:
        text: A platform (see `parse_platform`), a runtime and an architecture (``aws-lambda-python3.12/arm64``), or
            the path of a complete platform, which ends in ``.json``.
        folder: What such a path is relative to.

    Raises:
        UnknownTargetError: It is none of these.
        TargetError: It is one, but no wheel can run there.
        CompletePlatformError: The file is not a complete platform.
    """
    spelling = text.strip()
    if spelling.lower().endswith(".json"):
        return _from_file(text, folder / spelling)
    name, _, arch = spelling.lower().partition("/")
    if "-" in name and (runtime := _find_runtime(name)):
        return _from_runtime(text, runtime, arch)
    try:
        return TargetSpec(text=text, platform=parse_platform(text))
    except UnknownTargetError as error:
        raise _with_near_runtimes(error, name) from None


def _from_file(text: str, path: Path) -> TargetSpec:
    from crossdock.targets.complete import read_complete_platform

    complete = read_complete_platform(path)
    return TargetSpec(
        text=text,
        platform=complete.platform,
        python=complete.python,
        marker_values=complete.marker_values,
        given_tags=complete.tags,
        name=text.strip(),
    )


def _find_runtime(name: str) -> Runtime | None:
    from crossdock.targets.runtimes import runtimes

    known = runtimes()
    return known.get(name) or next((runtime for runtime in known.values() if name in runtime.aliases), None)


def _from_runtime(text: str, runtime: Runtime, arch: str) -> TargetSpec:
    choices = " or ".join(f"{runtime.name}/{name}" for name in runtime.archs)
    if not arch:
        raise UnknownTargetError(
            f"The target {text!r} does not say which architecture", why="a runtime may have several", hint=choices
        )
    platform = None
    with contextlib.suppress(TargetError):
        platform = parse_platform(f"{runtime.os.value}/{arch}+{runtime.libc.value}")
    if platform is None or platform.arch not in runtime.archs:
        raise UnknownTargetError(
            f"Unknown target {text[:200]!r}",
            why=f"{runtime.name} does not run on {arch[:100]!r}",
            hint=f"write {choices}",
        )
    return TargetSpec(
        text=text,
        platform=replace(platform, libc_named=True),
        python=parse_python(runtime.python.value) if runtime.python else None,
        name=f"{runtime.name}/{platform.arch}",
    )


def _with_near_runtimes(error: UnknownTargetError, name: str) -> UnknownTargetError:
    """Say which runtimes have a name like it, if any."""
    from difflib import get_close_matches

    from crossdock.targets.runtimes import runtimes

    near = get_close_matches(name[:100], runtimes(), n=3)
    if not near:
        return error
    return UnknownTargetError(error.what, why=error.why, hint=f"similar runtimes: {', '.join(near)}; {error.hint}")
