"""Which references, files and form of an image follow from the options of ``crossdock image``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crossdock.cli.image import _outputs
from crossdock.cli.main import main
from crossdock.cli.parser import make_parser
from crossdock.errors import ImageReferenceError, UsageError
from crossdock.oci.profile import DOCKER, LAMBDA, OCI
from crossdock.projects.project import Project, load_project
from crossdock.steps.rederive import Rederived
from crossdock.steps.subjects import is_path
from crossdock.steps.verify_outputs import tell_rederived

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.steps.outputs import Outputs

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My_App"\nversion = "1"\n')
    return load_project(tmp_path)


@pytest.fixture
def outputs(project: Project) -> Callable[..., Outputs]:
    return lambda *options: _outputs(make_parser().parse_args(["image", *options]), project)


def names(found: Outputs) -> list[str]:
    return [str(reference) for reference in found.push]


Of = Any  # the fixture: what comes of some options


def test_without_any_option_it_is_a_layout_in_the_project(outputs: Of, project: Project) -> None:
    found = outputs()
    assert found.layout == project.root / "dist" / "my-app_image"
    assert str(found.reference) == "my-app:latest"
    assert (found.push, found.docker_archive, found.load, found.cache_from) == ((), None, None, ())
    assert found.profile is OCI
    assert (found.form.compression, found.form.compile) == ("gzip", None)


@pytest.mark.parametrize(
    "options",
    [("--push", "registry.example/app:1"), ("--docker-archive", "app.tar"), ("--load",), ("--load", "podman")],
)
def test_an_image_that_goes_elsewhere_is_no_layout_unless_asked_for(outputs: Of, options: tuple[str, ...]) -> None:
    assert outputs(*options).layout is None
    assert outputs(*options, "--output", "out.tar").layout.name == "out.tar"


def test_only_what_is_pushed_alone_needs_no_bytes_here(outputs: Of) -> None:
    assert not outputs("--push", "registry.example/app:1").needs_bytes
    assert outputs("--push", "registry.example/app:1", "--load").needs_bytes
    assert outputs("--push", "registry.example/app:1", "--output", "x").needs_bytes
    assert outputs().needs_bytes


# Names


def test_a_tag_names_what_is_not_pushed(outputs: Of) -> None:
    assert str(outputs("--tag", "team/app:1.0").reference) == "team/app:1.0"
    assert str(outputs("--tag", "team/app").reference) == "team/app:latest"


def test_what_is_pushed_is_named_by_where_to(outputs: Of) -> None:
    found = outputs("--push", "registry.example/team/app:1.0")
    assert names(found) == ["registry.example/team/app:1.0"]
    assert found.reference == found.push[0]
    assert names(outputs("--push", "registry.example/team/app")) == ["registry.example/team/app:latest"]


def test_tags_of_a_push_are_of_its_repository_unless_they_name_another(outputs: Of) -> None:
    found = outputs(
        "--push", "registry.example:5000/team/app:1.0", "--tag", "1", "--tag", "latest", "--tag", "other.example/x:2"
    )
    assert names(found) == [
        "registry.example:5000/team/app:1.0",
        "registry.example:5000/team/app:1",
        "registry.example:5000/team/app:latest",
        "other.example/x:2",
    ]


def test_a_tag_that_is_named_twice_is_pushed_once(outputs: Of) -> None:
    found = outputs("--push", "registry.example/app:1", "--tag", "1", "--tag", "registry.example/app:1")
    assert names(found) == ["registry.example/app:1"]


@pytest.mark.parametrize(
    "options",
    [
        ("--push", f"registry.example/app@{DIGEST}"),
        ("--push", f"registry.example/app:1@{DIGEST}"),
        ("--push", "registry.example/app:1", "--tag", f"registry.example/app@{DIGEST}"),
        ("--push", "registry.example/app:1", "--tag", f"app@{DIGEST}"),
        ("--tag", f"app@{DIGEST}"),
        ("--tag", f"app:1@{DIGEST}", "--load"),
    ],
)
def test_a_digest_cannot_be_pushed_to_or_given(outputs: Of, options: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="cannot be") as caught:
        outputs(*options)
    assert "digest is known when the image is built" in caught.value.why
    assert "TAG" in caught.value.hint


def test_several_tags_are_for_a_push(outputs: Of) -> None:
    with pytest.raises(UsageError, match="--tag is given several times") as caught:
        outputs("--tag", "a:1", "--tag", "a:2")
    assert "--push" in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        ("--push", "Registry.example/APP"),
        ("--push", ""),  # a variable that is not set must not make a push into none
        ("--push", "user:password@registry.example/app"),
        ("--push", "https://registry.example/app"),
        ("--push", "registry.example/app:1", "--tag", ""),
        ("--push", "registry.example/app:1", "--tag=-x"),
        ("--push", "registry.example/app:1", "--tag", "a b"),
        ("--tag", "../app"),
        ("--cache-from", "registry.example/app:"),
    ],
)
def test_what_is_no_reference_is_refused(outputs: Of, options: tuple[str, ...]) -> None:
    with pytest.raises(ImageReferenceError):
        outputs(*options)


# Files


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.TGZ", "x.zip", "x.tar.zst", "x.tar.xz", "", " "])
def test_an_output_is_a_folder_or_an_uncompressed_tar(outputs: Of, name: str) -> None:
    with pytest.raises(UsageError, match="--output cannot be") as caught:
        outputs("--output", name)
    assert "folder" in caught.value.hint


@pytest.mark.parametrize("name", ["image", "image.tar.gz", "", "image.tar "])
def test_a_docker_archive_is_a_tar(outputs: Of, name: str) -> None:
    with pytest.raises(UsageError, match="--docker-archive cannot be"):
        outputs("--docker-archive", name)


def test_files_are_where_they_are_named(outputs: Of, tmp_path: Path) -> None:
    found = outputs("--output", str(tmp_path / "a"), "--docker-archive", str(tmp_path / "b.tar"))
    assert (found.layout, found.docker_archive) == (tmp_path / "a", tmp_path / "b.tar")


def test_an_engine_may_be_named(outputs: Of) -> None:
    assert outputs("--load").load == ""
    assert outputs("--load", "podman").load == "podman"
    assert outputs().load is None


# The registry as the cache


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), []),
        (("--push", "registry.example/app:1"), ["registry.example/app:1"]),
        (("--push", "registry.example/app:1", "--tag", "2"), ["registry.example/app:1", "registry.example/app:2"]),
        (("--cache-from", "registry.example/app:0"), ["registry.example/app:0"]),
        (
            ("--cache-from", "registry.example/app:0", "--push", "registry.example/app:1"),
            ["registry.example/app:0", "registry.example/app:1"],
        ),
        (("--cache-from", "registry.example/app:1", "--push", "registry.example/app:1"), ["registry.example/app:1"]),
        (("--cache-from", f"registry.example/app@{DIGEST}"), [f"registry.example/app@{DIGEST}"]),
        (("--no-cache-from", "--push", "registry.example/app:1"), []),
        (("--no-cache-from", "--cache-from", "registry.example/app:0"), []),
    ],
)
def test_layers_are_taken_from_where_is_pushed_to_unless_said_otherwise(
    outputs: Of, options: tuple[str, ...], found: list[str]
) -> None:
    assert [str(reference) for reference in outputs(*options).cache_from] == found


# Form


def test_profiles(outputs: Of) -> None:
    assert outputs("--profile", "docker").profile is DOCKER
    assert outputs("--profile", "lambda").profile is LAMBDA


def test_attachments_are_for_what_is_pushed(outputs: Of) -> None:
    push = ("--push", "registry.example/app:1")
    assert outputs(*push).attaches
    assert not outputs(*push, "--no-attachments").attaches
    assert not outputs(*push, "--profile", "lambda").attaches
    assert not outputs().attaches


def test_options_come_before_the_settings(project: Project, outputs: Of) -> None:
    path = project.root / "pyproject.toml"
    path.write_text(path.read_text() + '[tool.crossdock]\ncompression = "zstd"\n')
    settled = load_project(project.root)

    def compression(*options: str) -> str:
        return _outputs(make_parser().parse_args(["image", *options]), settled).form.compression

    assert compression() == "zstd"
    assert compression("--compression", "gzip") == "gzip"
    assert outputs("--compression", "zstd").form.compression == "zstd"
    assert outputs("--compile").form.compile is True
    assert outputs("--no-compile").form.compile is False


# crossdock verify


@pytest.mark.parametrize("text", ["./x", "../x", "/x", "~/x", "x.tar", "."])
def test_what_looks_like_a_path_is_one(text: str) -> None:
    assert is_path(text)


@pytest.mark.parametrize("text", ["app", "registry.example/app:1", f"app@{DIGEST}", "a" * 5000, "a/" * 3000])
def test_anything_else_is_a_reference_unless_it_is_there(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_path(text)
    if text == "app":
        (tmp_path / text).mkdir()
        assert is_path(text)


@pytest.mark.parametrize("text", ["a" * 5000, "A", "app@sha256:12"])
def test_verifying_what_is_neither_is_a_plain_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--offline", text]) == ImageReferenceError.exit_code
    assert "is not an image reference" in capsys.readouterr().err


def test_a_lock_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "x.tar", "--project", ".", "--lock", "uv.lock"]) == UsageError.exit_code
    assert main(["verify", "x.tar", "--package", "app"]) == UsageError.exit_code
    assert "--project" in capsys.readouterr().err


def test_reasons_that_somebody_made_up_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell_rederived(Rederived(same=(), others={DIGEST: "\x1b[2J 1.0 is on no index"}, findings=()))
    assert capsys.readouterr().err == "not made again: sha256:aaaaaaaaaaaa: \\x1b[2J 1.0 is on no index\n"
