"""Artifacts made by hand for the rules on what programs need: a few files, each with what its headers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.headers.binary import Binary
from crossdock.headers.linking import Linking
from crossdock.targets import Target, parse_platform, parse_python
from crossdock.targets.platform import Libc
from crossdock.verify.claim import Case, Claim
from crossdock.verify.contents import Contents, FileSeen
from crossdock.verify.platforms import Platform
from crossdock.verify.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from crossdock.verify.finding import Finding

GLIBC_2_36 = (*(f"GLIBC_2.{minor}" for minor in range(2, 37)), "GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR")
LIB = "usr/lib/x86_64-linux-gnu"
SITE = "app/.venv/lib/python3.12/site-packages"
#: The libraries of a Debian with glibc 2.36.
DEBIAN: Mapping[str, Linking] = {
    f"{LIB}/libc.so.6": Linking(type="shared", name="libc.so.6", defines=GLIBC_2_36),
    f"{LIB}/libm.so.6": Linking(type="shared", name="libm.so.6", defines=GLIBC_2_36),
    f"{LIB}/libstdc++.so.6.0.30": Linking(
        type="shared", name="libstdc++.so.6", defines=("GLIBCXX_3.4", "GLIBCXX_3.4.30", "CXXABI_1.3", "CXXABI_1.3.13")
    ),
}
DEBIAN_LINKS = {"lib": "usr/lib", f"{LIB}/libstdc++.so.6": "libstdc++.so.6.0.30"}
ALPINE: Mapping[str, Linking] = {"lib/ld-musl-x86_64.so.1": Linking(type="shared", name="libc.musl-x86_64.so.1")}
ALPINE_LINKS = {"lib/libc.musl-x86_64.so.1": "ld-musl-x86_64.so.1"}


def so(*needed: str, **said: Any) -> Linking:
    """What an extension module's headers say."""
    return Linking(type="shared", needed=needed, **said)


def contents(
    natives: Mapping[str, Linking],
    *,
    links: Mapping[str, str] = {},
    texts: Mapping[str, str] = {},
    files: Iterable[str] = (),
    machine: str = "amd64",
    binary: str = "elf",
    whole: bool = True,
) -> Contents:
    paths = [*natives, *texts, *files]
    entries = [FileSeen(path, "file", 1, 0o644) for path in paths]
    entries += [FileSeen(path, "symlink", link=link) for path, link in links.items()]
    return Contents(
        files=len(paths),
        entries=tuple(entries) if whole else (),
        binaries=tuple(
            (path, Binary(format=binary, machines=(machine,), label=machine, bits=64, linking=(linking,)))  # type: ignore[arg-type]
            for path, linking in natives.items()
        ),
        texts=dict(texts) if whole else {},
        whole=whole,
    )


def distribution(name: str, files: Iterable[str], *tags: str, site: str = "", pure: bool = False) -> dict[str, str]:
    """The metadata of an installed wheel."""
    info = f"{site}/{name}-1.0.dist-info".lstrip("/")
    lines = "".join(f"Tag: {tag}\n" for tag in tags)
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(pure).lower()}\n{lines}",
        f"{info}/RECORD": "".join(f"{path},,\n" for path in files),
    }


def claim(platform: str = "linux/amd64", *pythons: str, **said: Any) -> Claim:
    """What is said of an artifact: with Pythons, that it is for these; libc as ``glibc2.28``."""
    parsed = parse_platform(platform)
    os, _, architecture = str(parsed).partition("/")
    if not pythons and "+" in platform:
        said = {"libc": parsed.libc, "macos": parsed.macos} | said
    targets = tuple(Target(parsed, parse_python(python)) for python in pythons)
    if targets:
        said = {"libc": parsed.libc, "macos": parsed.macos, "targets": targets} | said
    return Claim(platform=Platform(os=os, architecture=architecture), **said)


def judged(rule: Callable[[Case], Iterator[Finding]], claimed: Claim, *parts: Contents) -> list[tuple[str, str, str]]:
    """Give code, severity and path of what a rule finds."""
    return [(finding.code, finding.severity, finding.path) for finding in found(rule, claimed, *parts)]


def found(rule: Callable[[Case], Iterator[Finding]], claimed: Claim, *parts: Contents) -> list[Finding]:
    return list(rule(Case(Tree(parts), claimed)))


def image(natives: Mapping[str, Linking], **more: Any) -> Contents:
    """An application on a Debian with glibc 2.36."""
    return contents({**DEBIAN, **natives}, links={**DEBIAN_LINKS, **more.pop("links", {})}, **more)


GLIBC = Libc("glibc", (2, 28))
MUSL = Libc("musl", (1, 2))
