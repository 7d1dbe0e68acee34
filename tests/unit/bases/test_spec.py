"""How a base is spelled says what kind it is."""

from __future__ import annotations

import pytest

from crossdock.bases.spec import parse_base
from crossdock.errors import UnsupportedBaseError

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("debian:bookworm", "debian", ""),
        ("debian:sid", "debian", ""),
        ("scratch", "scratch", ""),
        ("debian:bookworm-slim", "image", "bookworm-slim"),
        ("debian:12", "image", "12"),
        ("debian", "image", "latest"),
        ("docker.io/library/debian:bookworm", "image", "bookworm"),
        ("python:3.12-slim", "image", "3.12-slim"),
        (f"registry.example/team/base:1@{DIGEST}", "image", DIGEST),
        ("localhost:5000/base", "image", "latest"),
        ("scratch:1", "image", "1"),
        ("oci:base", "layout", ""),
        ("oci:../out/base.tar", "layout", ""),
        ("oci:base:1.0", "layout", "1.0"),
        ("oci:base:registry.example/team/app:1.0", "layout", "registry.example/team/app:1.0"),
        (f"oci:base@{DIGEST}", "layout", DIGEST),
        ("docker-archive:base.tar", "archive", ""),
        ("docker-archive:base.tar:team/app:1.0", "archive", "team/app:1.0"),
        (f"docker-archive:base.tar@{DIGEST}", "archive", DIGEST),
    ],
)
def test_a_spelling_has_one_meaning(text: str, kind: str, wanted: str) -> None:
    spec = parse_base(text)
    assert (spec.kind, spec.wanted, spec.text) == (kind, wanted, text)
    assert spec.digest == (DIGEST if DIGEST in text else "")
    assert (spec.reference is not None) == (kind == "image")
    assert bool(spec.suite) == (kind == "debian")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("oci:a b/c:1", "a b/c"),
        ("oci:/tmp/base", "/tmp/base"),
        (r"oci:C:\bases\python:1", r"C:\bases\python"),
        ("oci:a@b/c:1", "a@b/c"),
        (f"oci:a@b@{DIGEST}", "a@b"),
    ],
)
def test_paths_may_hold_what_paths_hold(text: str, path: str) -> None:
    assert parse_base(text).path == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Debian",
        "docker://python:3.12",
        "python:3.12@sha256:0",
        "registry.example/Team/App",
        "debian:latest",
        "oci:",
        "oci::tag",
        "oci:base@sha256:0",
        "oci:base\n",
        "docker-archive:",
        "oci:" + "a" * 5000,
        "a/" * 3000,
        "two words",
    ],
)
def test_what_is_no_base_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UnsupportedBaseError) as caught:
        parse_base(text)
    assert caught.value.hint
    assert len(str(caught.value)) < 1000
