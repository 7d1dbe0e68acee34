"""What a distribution says of its licence, as an SPDX expression where it is one (PEP 639)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_LICENSE", "License", "license_of", "spdx_expression"]

_LONGEST = 500
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")

#: Classifiers that mean one licence; others, such as "BSD License", name a family.
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "zlib/libpng License": "Zlib",
}
_PREFIX = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True)
class License:
    """What is said of a licence.

    Attributes:
        expression: SPDX licence expression in its canonical spelling; empty if it is not known.
        name: What stands there instead, in one line; empty where there is an expression.
    """

    expression: str = ""
    name: str = ""

    @property
    def references(self) -> tuple[str, ...]:
        """The parts of the expression that no list of licences explains (``LicenseRef-…``), sorted."""
        return tuple(sorted(set(_REFERENCE.findall(self.expression))))

    @classmethod
    def named(cls, text: str) -> License:
        """Give a licence that is no expression, by whatever it is called."""
        return cls(name=_one_line(text))

    @classmethod
    def from_json(cls, value: object) -> License:
        """Read what ``dataclasses.asdict`` gave.

        Raises:
            ValueError: It is something else, such as an expression that is none.
        """
        if not isinstance(value, dict) or value.keys() != {"expression", "name"}:
            raise ValueError("what is said of a license is malformed")
        found = cls(value["expression"], value["name"])
        if not isinstance(found.expression, str) or not isinstance(found.name, str):
            raise ValueError("what is said of a license is no text")  # noqa: TRY004  one error for all
        if found.expression != spdx_expression(found.expression) or found.name != _one_line(found.name):
            raise ValueError("what is said of a license is not in its canonical form")
        return found


NO_LICENSE = License()


def license_of(*, expression: str, text: str, classifiers: Iterable[str]) -> License:
    """Choose the most exact of what a distribution's METADATA says.

    Args:
        expression: ``License-Expression``; empty without one.
        text: ``License``: an identifier, a name, or a whole licence.
        classifiers: All ``Classifier`` fields.
    """
    if found := spdx_expression(expression) or spdx_expression(text):
        return License(found)
    named = [item.removeprefix(_PREFIX) for item in classifiers if item.startswith(_PREFIX)]
    if len(named) == 1 and named[0] in _CLASSIFIERS:
        return License(_CLASSIFIERS[named[0]])
    lines = [line.strip() for line in (expression or text).splitlines() if line.strip()]
    first = lines[0] if lines else ", ".join(sorted(named))
    return License.named(first)


def spdx_expression(text: str) -> str:
    """Give an SPDX licence expression in its canonical spelling; empty if the text is none."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if not text.strip() or len(text) > _LONGEST:
        return ""
    try:
        return str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, RecursionError):
        return ""


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()[:_LONGEST].strip()
