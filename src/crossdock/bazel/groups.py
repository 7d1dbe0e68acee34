"""Options that count for the one named before them: ``--target A --wheel 1 --target B --wheel 2``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Group", "add_groups", "groups_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What was given after one option.

    Attributes:
        name: The value of that option; empty for what came before any.
        given: Options and values.
    """

    name: str = ""
    given: tuple[tuple[str, str], ...] = ()

    def of(self, option: str) -> tuple[str, ...]:
        """Give the values of an option."""
        return tuple(value for name, value in self.given if name == option)


class _GroupAction(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        groups: list[Group] = list(getattr(namespace, self.dest) or [Group()])
        if option_string == self.const:
            groups.append(Group(name=str(values)))
        else:
            groups[-1] = replace(groups[-1], given=(*groups[-1].given, (str(option_string), str(values))))
        setattr(namespace, self.dest, groups)


def add_groups(parser: argparse.ArgumentParser, first: str, *others: str) -> None:
    """Add an option that begins a group, and those that belong to it."""
    for name in (first, *others):
        parser.add_argument(name, dest="groups", const=first, action=_GroupAction, metavar=name[2:].upper())


def groups_of(options: argparse.Namespace) -> tuple[Group, list[Group]]:
    """Give what was given before any group, which is for all; and the groups."""
    common, *groups = options.groups or [Group()]
    return common, groups
