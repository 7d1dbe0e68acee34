"""Image references: what is one, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import ImageReferenceError
from crossdock.oci.reference import Reference, parse_reference


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("app", "app", "latest"),
        ("app:1.0", "app", "1.0"),
        ("team/app", "team/app", "latest"),
        ("registry.example/team/app:1.0-rc.1_x", "registry.example/team/app", "1.0-rc.1_x"),
        ("localhost:5000/app", "localhost:5000/app", "latest"),
        ("localhost:5000/app:v1", "localhost:5000/app", "v1"),
        ("[::1]:5000/app", "[::1]:5000/app", "latest"),
        ("Registry.Example/app", "Registry.Example/app", "latest"),
        ("a__b/c-d/e.f--g", "a__b/c-d/e.f--g", "latest"),
        ("app:_x", "app", "_x"),
        ("app:" + "t" * 128, "app", "t" * 128),
    ],
)
def test_good_references(text: str, name: str, tag: str) -> None:
    assert parse_reference(text) == Reference(name, tag)


def test_a_digest_stands_beside_a_tag_or_instead_of_one() -> None:
    digest = "sha256:" + "0" * 64
    assert parse_reference(f"team/app@{digest}") == Reference("team/app", "", digest)
    assert parse_reference(f"team/app:1.0@{digest}") == Reference("team/app", "1.0", digest)
    assert parse_reference(f"team/app:1.0@{digest}").version == digest
    assert str(parse_reference(f"team/app:1.0@{digest}")) == f"team/app:1.0@{digest}"
    assert str(parse_reference(f"team/app@{digest}")) == f"team/app@{digest}"


@pytest.mark.parametrize(
    ("text", "registry", "repository"),
    [
        ("python:3.12-slim", "docker.io", "library/python"),
        ("team/app", "docker.io", "team/app"),
        ("docker.io/library/python", "docker.io", "library/python"),
        ("registry.example/app", "registry.example", "app"),
        ("registry.example/team/app", "registry.example", "team/app"),
        ("localhost/app", "localhost", "app"),
        ("localhost:5000/app", "localhost:5000", "app"),
        ("registry:5000/app", "registry:5000", "app"),
        ("[::1]:5000/app", "[::1]:5000", "app"),
    ],
)
def test_which_registry_and_which_repository_in_it(text: str, registry: str, repository: str) -> None:
    reference = parse_reference(text)
    assert (reference.registry, reference.repository) == (registry, repository)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1.0",
        "app:",
        "App",
        "registry.example/Team/app",
        "app:-x",
        "app:.x",
        "app:" + "t" * 129,
        "app:é",
        "app:1 0",
        "app\n",
        "app:1\n",
        "-app",
        "app-",
        "a..b",
        "a___b",
        "team//app",
        "/app",
        "app/",
        "../app",
        "team/../app",
        "https://registry.example/app",
        "user:secret@registry.example/app",
        "registry.example:port/app",
        "app@sha256:" + "0" * 63,
        "app@sha512:" + "0" * 128,
        "app@sha256:" + "A" * 64,
        "a" * 5000,
    ],
)
def test_bad_references(text: str) -> None:
    with pytest.raises(ImageReferenceError, match="is not an image reference") as caught:
        parse_reference(text)
    assert "registry.example/team/app:1.0" in caught.value.hint


@given(st.text())
def test_any_text_is_a_reference_or_an_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ImageReferenceError:
        return
    assert parse_reference(str(reference)) == reference


@given(
    st.lists(st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?", fullmatch=True), min_size=1, max_size=4),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True),
)
def test_names_and_tags_come_back_as_written(components: list[str], tag: str) -> None:
    name = "/".join(components)
    assert parse_reference(f"{name}:{tag}") == Reference(name, tag)
