"""Where two artifacts differ, and why."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import Any

import pytest
from tests.support.seen import contents_of

from crossdock.reports.artifact_diff import diff_json, diff_text
from crossdock.verify.archives import tell_archives_apart
from crossdock.verify.comparing import ArtifactSeen, LayerSeen, compare

FILES = {
    "lib/a.py": b"a",
    "lib/a-1.0.dist-info/METADATA": b"Name: a\nVersion: 1.0\n",
    "lib/b-2.0.dist-info/METADATA": b"Name: b\nVersion: 2.0\n",
}


def layer(files: dict[str, bytes], digest: str = "sha256:1", diff_id: str = "sha256:9") -> LayerSeen:
    return LayerSeen(digest=digest, diff_id=diff_id, size=100, about="wheels", contents=contents_of(files))


def image(*layers: LayerSeen, digest: str = "sha256:m1", platform: str = "linux/arm64", **said: Any) -> ArtifactSeen:
    return ArtifactSeen(platform=platform, digest=digest, described=said, layers=layers)


def text(old: ArtifactSeen, new: ArtifactSeen) -> str:
    return "\n".join(diff_text("A", "B", compare([old], [new])))


def test_the_same_image_has_no_difference() -> None:
    [found] = compare([image(layer(FILES))], [image(layer(FILES))])
    assert found.same
    assert "linux/arm64: the same" in text(image(layer(FILES)), image(layer(FILES)))


def test_files_packages_and_layers_are_told() -> None:
    changed = {
        **FILES,
        "lib/a.py": b"bb",
        "lib/new.py": b"",
        "lib/a-1.0.dist-info/METADATA": b"Name: a\nVersion: 1.1\n",
    }
    del changed["lib/b-2.0.dist-info/METADATA"]
    old, new = image(layer(FILES)), image(layer(changed, "sha256:2", "sha256:8"), digest="sha256:m2")
    [found] = compare([old], [new])
    assert [(item.name, item.old, item.new) for item in found.packages] == [("a", "1.0", "1.1"), ("b", "2.0", None)]
    assert [item.name for item in found.files if item.old is None] == ["lib/new.py"]
    assert [item.name for item in found.layers] == ["1"]
    assert found.reasons == ("4 files differ",)
    assert not diff_json("A", "B", [found])["same"]
    assert "packages: 0 added, 1 removed, 1 changed" in text(old, new)


def test_a_changed_mode_is_a_changed_file() -> None:
    old = layer(FILES)
    first, *rest = old.contents.entries
    other = replace(old, digest="sha256:2", contents=replace(old.contents, entries=(first._replace(mode=0o755), *rest)))
    [found] = compare([image(old)], [image(other, digest="sha256:m2")])
    assert [item.name for item in found.files] == ["lib/a.py"]


def test_fields_are_told_by_their_names() -> None:
    old = image(layer(FILES), config={"Env": ["A=1"], "User": "0"})
    new = image(layer(FILES), digest="sha256:m2", config={"Env": ["A=2"], "User": "0", "Labels": {"x": "y"}})
    [found] = compare([old], [new])
    assert [(item.name, item.old, item.new) for item in found.fields] == [
        ("config.Env.0", "A=1", "A=2"),
        ("config.Labels.x", None, "y"),
    ]
    assert "manifest or config say something else in config.Env.0, config.Labels.x" in found.reasons


def test_another_compression_is_told() -> None:
    [found] = compare([image(layer(FILES))], [image(layer(FILES, "sha256:2"), digest="sha256:m2")])
    assert found.reasons == ("layer 1 is the same archive, compressed in another way",)
    assert not found.files


def test_the_same_files_in_another_archive_are_told_apart_by_it() -> None:
    old, new = image(layer(FILES)), image(layer(FILES, "sha256:2", "sha256:8"), digest="sha256:m2")
    [found] = compare([old], [new], lambda *_: "the time differs")
    assert found.reasons == ("layer 1 holds the same files, but the time differs",)


def test_the_same_files_in_other_layers() -> None:
    one, two = layer({"a": b"1"}), layer({"b": b"2"}, "sha256:2", "sha256:8")
    [found] = compare(
        [image(one, two)], [image(layer({"a": b"1", "b": b"2"}, "sha256:3", "sha256:7"), digest="sha256:m")]
    )
    assert "there are 2 layers in the first and 1 in the second" in found.reasons


def test_a_platform_that_only_one_has() -> None:
    [arm, amd] = compare([image(layer(FILES))], [image(layer(FILES), platform="linux/amd64")])
    assert (arm.digests, amd.digests) == (("sha256:m1", None), (None, "sha256:m1"))
    assert not arm.same
    assert arm.reasons == ("there is an image for linux/arm64 in the first alone",)


def test_bundles_that_are_only_packed_otherwise() -> None:
    def bundle(digest: str) -> ArtifactSeen:
        whole = LayerSeen(digest=digest, size=10, contents=contents_of(FILES))
        return ArtifactSeen(platform="", digest=digest, layers=(whole,))

    [found] = compare([bundle("sha256:1")], [bundle("sha256:2")])
    assert "packed or compressed in another way" in found.reasons[0]


def test_nothing_of_an_artifact_drives_the_terminal() -> None:
    new = image(layer({**FILES, "lib/\x1b[31m": b""}, "sha256:2", "sha256:8"), digest="sha256:m2", x="\x1b[2J")
    assert "\x1b" not in text(image(layer(FILES)), new)


def archive(*members: dict[str, Any], format_: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for fields in members:
            info = tarfile.TarInfo("a")
            for name, value in fields.items():
                setattr(info, name, value)
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([{"mtime": 1}], [{"mtime": 2}], "the time of 'a' is 1 in the first and 2 in the second"),
        ([{"uid": 0}], [{"uid": 1000}], "the owner's number of 'a' is 0 in the first and 1000 in the second"),
        ([{"uname": ""}], [{"uname": "root"}], "the owner's name of 'a'"),
        ([{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}], "they are in another order"),
    ],
)
def test_archives_are_told_apart(old: list[dict[str, Any]], new: list[dict[str, Any]], expected: str) -> None:
    assert expected in tell_archives_apart(iter([archive(*old)]), iter([archive(*new)]))


def test_archives_of_another_spelling_or_none_at_all() -> None:
    ustar, gnu = archive({}, format_=tarfile.USTAR_FORMAT), archive({}, format_=tarfile.GNU_FORMAT)
    assert "spelled in another way" in tell_archives_apart(iter([ustar]), iter([gnu]))
    assert "cannot be told apart" in tell_archives_apart(iter([b"x" * 2000]), iter([gnu]))
