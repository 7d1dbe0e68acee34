"""[tool.crossdock.interpreter]: what may be written, every mistake, and which archive is for which target."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from crossdock.bases.interpreter.setting import DebianPython, StandaloneArchive, archives_by_target, settle_debian
from crossdock.errors import ConfigError, InterpreterError
from crossdock.projects.config import Config, read_config
from crossdock.targets import parse_target

SHA = "ab" * 32
URL = "https://index.example/python.tar.gz"


def read(text: str) -> Config:
    return read_config(tomllib.loads(text))


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


def table(values: str) -> str:
    return f'[interpreter]\n"linux/amd64" = {{ {values} }}\n'


def test_nothing_set_is_no_interpreter() -> None:
    assert read("").interpreter is None


def test_debians_packages_are_for_all_targets() -> None:
    assert read('interpreter = "debian:bookworm"').interpreter == DebianPython(suite="bookworm")


def test_archives_are_by_target_as_written() -> None:
    text = f"""
    [interpreter]
    "linux/amd64" = {{ url = "{URL}", sha256 = "{SHA.upper()}" }}
    linux_arm64 = {{ path = "pythons/arm64.tar.gz", sha256 = "{SHA}" }}
    """
    assert read(text).interpreter == {
        "linux/amd64": StandaloneArchive(location=URL, sha256=SHA),
        "linux_arm64": StandaloneArchive(location="pythons/arm64.tar.gz", sha256=SHA),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("interpreter = 3.12", "interpreter cannot be 3.12"),
        ('interpreter = "python:3.12"', "interpreter cannot be 'python:3.12'"),
        ('interpreter = "debian:"', "interpreter cannot be 'debian:'"),
        ('interpreter = "debian:../x"', "interpreter cannot be 'debian:../x'"),
        ("[interpreter]", "tool.crossdock.interpreter is empty"),
        ('[interpreter]\n"linux/amd64" = "debian:bookworm"', "is not a table"),
        ('[interpreter]\n"linux/amd64" = 1', "is not a table"),
        (table(f'sha256 = "{SHA}"'), "needs one of url and path"),
        (table(f'url = "{URL}", path = "p", sha256 = "{SHA}"'), "needs one of url and path"),
        (table(f'url = "{URL}"'), "sha256 must be the archive's SHA-256"),
        (table(f'url = "{URL}", sha256 = "abc"'), "sha256 must be the archive's SHA-256"),
        (table(f'url = "{URL}", sha256 = "{SHA}", size = 1'), "no setting 'size'"),
        (table(f'url = "python.tar.gz", sha256 = "{SHA}"'), "url is not an http or https URL"),
        (table(f'url = "ftp://index.example/p", sha256 = "{SHA}"'), "url is not an http or https URL"),
        (table(f'url = "https://[", sha256 = "{SHA}"'), "url is not an http or https URL"),
        (table(f'path = "{URL}", sha256 = "{SHA}"'), "path is not the path of a file"),
        (table(f'path = "file:///x", sha256 = "{SHA}"'), "path is not the path of a file"),
        (table(f'path = "a\\u0000b", sha256 = "{SHA}"'), "path holds a character"),
    ],
)
def test_every_mistake_is_told_with_its_place(text: str, message: str) -> None:
    said = refusal(text)
    assert message in said
    assert "interpreter" in said


def test_a_url_with_a_password_is_refused_without_showing_it() -> None:
    said = refusal(table(f'url = "https://me:hunter2@index.example/p.tar.gz", sha256 = "{SHA}"'))
    assert "the URL holds a user or password" in said
    assert "hunter2" not in said


def chosen(keys: list[str], wanted: list[str], others: tuple[str, ...] = ()) -> list[str | None]:
    archives = {key: StandaloneArchive(location=key, sha256=SHA) for key in keys}
    found = archives_by_target(archives, list(map(parse_target, wanted)), list(map(parse_target, others)), Path())
    return [archive.location if archive else None for archive in found]


def test_a_target_gets_the_archive_of_its_platform_however_it_is_spelled() -> None:
    keys = ["linux_x86_64", "linux/arm64/v8"]
    assert chosen(keys, ["linux/arm64", "linux/amd64"]) == ["linux/arm64/v8", "linux_x86_64"]


def test_a_target_without_one_has_the_python_of_its_base() -> None:
    assert chosen(["linux/amd64"], ["linux/amd64", "linux/arm64"]) == ["linux/amd64", None]


def test_a_floor_counts_only_where_the_key_names_one() -> None:
    assert chosen(["linux/amd64"], ["linux/amd64+glibc2.28"]) == ["linux/amd64"]
    assert chosen(["linux/amd64+glibc2.28"], ["linux/amd64+glibc2.28"]) == ["linux/amd64+glibc2.28"]
    with pytest.raises(ConfigError):
        chosen(["linux/amd64+glibc2.28"], ["linux/amd64"])


def test_musl_and_glibc_are_different_targets() -> None:
    keys = ["linux/amd64", "linux/amd64+musl"]
    assert chosen(keys, ["linux/amd64+musl"], ("linux/amd64",)) == ["linux/amd64+musl"]


def test_a_key_for_a_target_that_is_not_built_now_is_no_mistake() -> None:
    assert chosen(["linux/arm64"], ["linux/amd64"], ("linux/amd64", "linux/arm64")) == [None]


def test_a_key_for_no_target_of_the_project_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(["linux/riscv64"], ["linux/amd64"], ("linux/arm64",))
    assert "'linux/riscv64' is no target of the project" in caught.value.what
    assert caught.value.why == "it builds linux/amd64, linux/arm64"


def test_a_key_that_is_no_target_at_all_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'linux/amd46' is no target"):
        chosen(["linux/amd46"], ["linux/amd64"])


def test_two_archives_for_one_target_are_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(["linux/amd64", "linux_x86_64"], ["linux/amd64"])
    assert caught.value.why == "'linux/amd64' and 'linux_x86_64' are the same target"


def test_debians_packages_on_nothing_or_on_themselves_are_the_debian_base() -> None:
    python = DebianPython(suite="bookworm")
    assert settle_debian("scratch", python) == ("debian:bookworm", None)
    assert settle_debian("debian:bookworm", python) == ("debian:bookworm", None)


def test_over_an_image_they_are_still_to_be_laid() -> None:
    python = DebianPython(suite="bookworm")
    assert settle_debian("team/base:1", python) == ("team/base:1", python)


def test_archives_and_no_setting_change_nothing() -> None:
    archives = {"linux/amd64": StandaloneArchive(location=URL, sha256=SHA)}
    assert settle_debian("scratch", archives) == ("scratch", archives)
    assert settle_debian("debian:bookworm", None) == ("debian:bookworm", None)


def test_two_suites_are_not_mixed() -> None:
    with pytest.raises(InterpreterError, match="debian:trixie cannot be laid over the base debian:bookworm"):
        settle_debian("debian:bookworm", DebianPython(suite="trixie"))
