"""What a PEX boots by, as far as it is text: shebang, ``__main__.py``, the header for ``/bin/sh``.

All of it was written by pex for a PEX that holds nothing. To make it that of another PEX, the hash of the empty one,
which its own PEX-INFO names, is replaced; nothing is looked for by where it stands.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import ConfigError, PexRuntimeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.store.actions import JSON

__all__ = ["BootFiles", "BootTexts", "boot_files", "check_header", "with_installed_path"]

_INSTALLED = "INSTALLED_PEX="


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTexts:
    """What pex wrote for a PEX that holds nothing.

    Attributes:
        info: Its PEX-INFO.
        code: Its ``__pex__/__init__.py``: what ``__main__.py`` has, too, below its first lines.
        main: Its ``__main__.py``.
        header: The header for ``/bin/sh``, shebang and all, or None where Python is started at once.
        header_hash: The hash of the PEX that the header was written for.
    """

    info: Mapping[str, Any]
    code: str
    main: str
    header: str | None = None
    header_hash: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Give values that `from_json` reads."""
        return {
            "info": json.dumps(dict(self.info), sort_keys=True),
            "code": self.code,
            "main": self.main,
            "header": self.header,
            "header_hash": self.header_hash,
        }

    @classmethod
    def from_json(cls, value: Any) -> BootTexts:  # noqa: ANN401
        """Read what `to_json` gave.

        Raises:
            ValueError: It is not that.
        """
        try:
            return cls(
                info=json.loads(value["info"]),
                code=str(value["code"]),
                main=str(value["main"]),
                header=None if value["header"] is None else str(value["header"]),
                header_hash=str(value["header_hash"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of what a PEX boots by: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFiles:
    """What one PEX boots by.

    Attributes:
        prefix: What comes before the archive, if the PEX is one file.
        main: ``__main__.py``.
        hook: ``__pex__/__init__.py``.
    """

    prefix: bytes
    main: bytes
    hook: bytes


def boot_files(texts: BootTexts, pex_hash: str, shebang: str, *, folder: bool) -> BootFiles:
    """Make what one PEX boots by.

    Args:
        texts: What pex wrote.
        pex_hash: The PEX's own hash.
        shebang: Its first line, where Python is started at once.
        folder: Whether it is a folder, in which ``__main__.py`` is what is started.

    Raises:
        PexRuntimeError: pex wrote something else than the release that is known.
    """
    code = _replaced(texts.code, str(texts.info.get("pex_hash", "")), pex_hash)
    if not texts.main.endswith(texts.code):
        raise _unknown("__main__.py does not end with the code of __pex__/__init__.py")
    first, newline, lead = texts.main.removesuffix(texts.code).partition("\n")
    if not (first.startswith("#!") and newline):
        raise _unknown("__main__.py does not begin with a shebang")
    main = f"{shebang}\n{lead}{code}"
    prefix = f"{shebang}\n"
    if texts.header is not None:
        header = _replaced(texts.header, texts.header_hash, pex_hash)
        if folder:
            main = f"{header}{lead}{code}"
        else:
            prefix = header
    return BootFiles(prefix=prefix.encode(), main=main.encode(), hook=code.encode())


def check_header(shebang: str, python_args: Sequence[str]) -> None:
    """Refuse what pex would write into the header for ``/bin/sh`` so that a shell reads something else there.

    Args:
        shebang: The Python named by the user, ``#!`` and all; empty if none is.
        python_args: Arguments for Python.

    Raises:
        ConfigError: A shell would take a part of it for something of its own.
    """
    for text in (*shebang.removeprefix("#!").split(), *python_args):
        if shlex.quote(text) != text:
            raise ConfigError(
                f"A PEX that is started by /bin/sh cannot name {text!r} as its Python or an argument for it",
                why="the shell would take some of its characters for something else",
                hint="write it with letters, digits and @%+=:,./-_ only, or build without --sh-boot",
            )


def with_installed_path(header: str, source: str) -> str:
    """Give a header in which the line that names the installed PEX is that of another header.

    Args:
        header: The header.
        source: Another one, of a PEX that has interpreter constraints: where pex installs it does not depend on the
            Python that it was made by.

    Raises:
        PexRuntimeError: There is not one such line in each.
    """
    old, new = ([line for line in text.splitlines() if line.startswith(_INSTALLED)] for text in (header, source))
    if len(old) != 1 or len(new) != 1:
        raise _unknown(f"the header has not one line that begins with {_INSTALLED}")
    return header.replace(old[0], new[0])


def _replaced(text: str, old: str, new: str) -> str:
    if len(old) != len(new) or old not in text:
        raise _unknown("a file does not name the hash that PEX-INFO names")
    return text.replace(old, new)


def _unknown(why: str) -> PexRuntimeError:
    return PexRuntimeError(
        "What pex wrote cannot be used",
        why=why,
        hint="install the release that crossdock is made for: pip install 'crossdock[pex]'",
    )
