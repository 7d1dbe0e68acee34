"""GitHub's workflow commands, read back by a parser of the grammar that GitHub documents.

A command is a line that begins with ``::``, then a name, after a space properties (``key=value``, with commas between
them), then ``::`` and the message. In a message ``%25``, ``%0D`` and ``%0A`` stand for what they encode; in a property
``%3A`` and ``%2C`` do so too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.unit.verify.formats.samples import NUMPY, each_hostile, finding, hostile, image, mixed, report

from crossdock.verify.formats import to_github

if TYPE_CHECKING:
    from crossdock.verify.report import Report


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    message: str


def decoded(text: str, codes: str) -> str:
    assert not re.search(rf"%(?!{codes})", text), text
    return re.sub(rf"%({codes})", lambda match: chr(int(match[1], 16)), text)


def parsed(output: str) -> list[Command]:
    """Every line is a command, or the output is wrong: nothing else is to be on standard output."""
    commands = []
    for line in re.split(r"\r\n|\r|\n", output.removesuffix("\n")) if output else []:
        match = re.match(r"::([a-z-]+)(?: (.*?))?::", line)
        assert match is not None, line
        pairs = (item.partition("=") for item in match[2].split(","))
        properties = {key: decoded(value, "25|0D|0A|3A|2C") for key, _, value in pairs}
        commands.append(Command(match[1], properties, decoded(line[match.end() :], "25|0D|0A")))
    return commands


def commands_of(*reports: Report) -> list[Command]:
    return parsed(to_github(reports))


class TestCommands:
    def test_a_good_report_has_none(self) -> None:
        assert to_github([report(image())]) == ""

    def test_findings_that_are_alike_are_one_annotation_which_names_the_files(self) -> None:
        (command,) = commands_of(report(image(*(finding(f"{n}.so") for n in range(5)))))
        assert command == Command(
            "error",
            {"title": "crossdock: elf-machine (linux/arm64)"},
            "numpy 2.1.0: 0.so is an x86-64 ELF file, but the target linux/arm64 needs aarch64\n"
            "numpy 2.1.0: 1.so is an x86-64 ELF file, but the target linux/arm64 needs aarch64\n"
            "numpy 2.1.0: 2.so is an x86-64 ELF file, but the target linux/arm64 needs aarch64\n"
            "… and 2 more like it\n"
            "hint: take the wheel for the target",
        )

    def test_each_severity_has_its_command_and_errors_come_first(self) -> None:
        commands = commands_of(mixed())
        assert [command.name for command in commands] == ["error"] * 3 + ["warning", "notice"]
        assert [command.properties["title"] for command in commands] == [
            "crossdock: platform-twice",
            "crossdock: elf-machine (linux/arm64)",
            "crossdock: elf-machine (linux/amd64)",
            "crossdock: executable-stack (linux/arm64)",
            "crossdock: rpath-nowhere (linux/arm64)",
        ]

    def test_no_file_of_the_repository_is_named(self) -> None:
        assert all({*command.properties} == {"title"} for command in commands_of(mixed()))
        assert NUMPY in commands_of(mixed())[1].message

    def test_of_several_artifacts_the_title_says_which(self) -> None:
        commands = commands_of(report(image(finding())), report(image(finding()), subject="reg.example/b:1,x"))
        assert [command.properties["title"] for command in commands] == [
            "crossdock: elf-machine (dist/app.tar linux/arm64)",
            "crossdock: elf-machine (reg.example/b:1,x linux/arm64)",
        ]

    def test_no_more_than_github_shows_and_the_last_one_counts_the_others(self) -> None:
        odd = [finding(found=f"is odd in way {n}") for n in range(30)]
        warnings = [finding(severity="warning", found=f"is odd in way {n}") for n in range(10)]
        commands = commands_of(report(image(*odd, *warnings)))
        assert [command.name for command in commands] == ["error"] * 10 + ["warning"] * 10
        assert commands[9].message == "and 21 errors more; the report lists all of them"

    def test_a_report_of_nothing_is_an_error(self) -> None:
        (command,) = commands_of(report())
        assert (command.name, command.properties) == ("error", {"title": "crossdock: no-image"})

    def test_no_report_is_no_good_news(self) -> None:
        with pytest.raises(ValueError, match="no report"):
            to_github([])


class TestHostileNames:
    @each_hostile
    def test_there_are_as_many_commands_as_for_a_harmless_name(self, text: str) -> None:
        commands = commands_of(hostile(text), report(image()))
        assert [command.name for command in commands] == ["error"] * 3
        assert all({*command.properties} == {"title"} for command in commands)

    @each_hostile
    def test_nothing_of_them_harms_the_log(self, text: str) -> None:
        output = to_github([hostile(text), report(image())])
        assert output.replace("\n", "").isprintable()
        assert max(len(line) for line in output.splitlines()) < 5_000

    def test_what_was_written_is_what_is_read(self) -> None:
        bad = finding("50%,a::b%0A.so", package=None, code="odd", found="is, odd: 100%", wanted="", hint="")
        (command,) = commands_of(report(image(bad), subject="x:1,2%"), report(image()))
        assert command.message == "50%,a::b%0A.so is, odd: 100%"
        assert command.properties == {"title": "crossdock: odd (x:1,2% linux/arm64)"}
