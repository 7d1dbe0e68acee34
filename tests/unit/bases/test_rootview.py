"""Layers put onto each other, and paths through what they make."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.baselayers import GZIP, TAR, ZSTD, blob, elf, layer, link, raw_tar

from crossdock.bases.rootview import RootLimits, RootView, read_root
from crossdock.errors import CrossdockError, LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.entry import Entry, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.bases.rootview import Layer


def root_of(*layers: Layer, **limits: int) -> RootView:
    return read_root(layers, name="base", limits=RootLimits(**limits))


def paths(root: RootView) -> list[str]:
    return [place.path for place in root.walk() if place.node.kind != "directory"]


def whiteout(path: str) -> Entry:
    above, slash, name = path.rpartition("/")
    return file(f"{above}{slash}.wh.{name}", b"")


def test_nodes_say_what_is_there_and_which_layer_it_comes_from() -> None:
    root = root_of(
        layer(directory("etc", mode=0o700), file("etc/a", b"12345", mode=0o640), symlink("etc/b", "a")),
        layer(file("etc/a", b"1", mode=0o755), link("etc/c", "etc/a")),
    )
    seen = {
        place.path: (place.node.kind, place.node.mode, place.node.size, place.node.layer, place.node.linkname)
        for place in root.walk()
    }
    assert seen == {
        "/etc": ("directory", 0o700, 0, 0, ""),
        "/etc/a": ("file", 0o755, 1, 1, ""),
        "/etc/b": ("symlink", 0o777, 0, 0, "a"),
        "/etc/c": ("file", 0o755, 1, 1, ""),
    }


@pytest.mark.parametrize("media_type", [TAR, GZIP, ZSTD, TAR.replace("oci.image.layer.v1", "docker.image.rootfs.diff")])
def test_layers_may_be_compressed_or_not(media_type: str) -> None:
    raw = raw_tar(file("etc/os-release", b"ID=debian\n"))
    if media_type == ZSTD:
        zstandard = pytest.importorskip("zstandard")
        data = zstandard.ZstdCompressor().compress(raw)
    else:
        data = gzip.compress(raw) if media_type == GZIP else raw
    assert root_of(blob(data, media_type)).text("/etc/os-release") == b"ID=debian\n"


def test_docker_gzip_media_type_is_read() -> None:
    data = gzip.compress(raw_tar(file("a", b"")))
    assert paths(root_of(blob(data, "application/vnd.docker.image.rootfs.diff.tar.gzip"))) == ["/a"]


@pytest.mark.parametrize("media_type", ["", "text/plain", f"{TAR}+gzip+encrypted", f"{TAR}+lz4"])
def test_other_media_types_are_refused(media_type: str) -> None:
    with pytest.raises(LayerUnsupportedError, match=r"layer 2 of base cannot be read: a layer of media type"):
        root_of(layer(), blob(b"", media_type))


def test_a_whiteout_hides_files_and_whole_directories_of_lower_layers() -> None:
    lower = layer(file("a/b/c", b""), file("a/b/d", b""), file("a/e", b""), symlink("f", "a"))
    assert paths(root_of(lower, layer(whiteout("a/b")))) == ["/a/e", "/f"]
    assert paths(root_of(lower, layer(whiteout("a/b/c"), whiteout("f")))) == ["/a/b/d", "/a/e"]
    assert paths(root_of(lower, layer(whiteout("a")), layer(file("a/new", b"")))) == ["/a/new", "/f"]
    assert paths(root_of(lower, layer(whiteout("no/such/file")))) == ["/a/b/c", "/a/b/d", "/a/e", "/f"]


def test_whiteouts_leave_their_own_layer_alone_wherever_they_stand_in_it() -> None:
    lower = layer(file("a/old", b""), file("a/b/old", b""))
    new = [file("a/new", b""), file("a/b/new", b"")]
    for hiding in (file("a/.wh..wh..opq", b""), whiteout("a")):
        for members in ([hiding, *new], [*new, hiding]):
            assert paths(root_of(lower, layer(*members))) == ["/a/b/new", "/a/new"]


def test_an_opaque_directory_hides_only_what_is_below_it() -> None:
    lower = layer(file("a/b/old", b""), file("a/c", b""))
    assert paths(root_of(lower, layer(file("a/b/.wh..wh..opq", b"")))) == ["/a/c"]
    assert paths(root_of(lower, layer(file(".wh..wh..opq", b""), file("x", b"")))) == ["/x"]


def test_files_of_aufs_mean_nothing() -> None:
    assert paths(root_of(layer(file("a", b"")), layer(file(".wh..wh.plnk", b""), file(".wh..wh.aufs", b"")))) == ["/a"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_a_whiteout_of_no_name_is_refused(name: str) -> None:
    with pytest.raises(LayerUnreadableError, match="malformed whiteout"):
        root_of(layer(file(f"a/{name}", b"")))


def test_files_replace_directories_and_the_other_way_round() -> None:
    lower = layer(file("a/b", b""), file("c", b""))
    assert paths(root_of(lower, layer(file("a", b""), file("c/d", b"")))) == ["/a", "/c/d"]


def test_a_directory_of_its_own_replaces_a_link_but_an_implied_one_follows_it() -> None:
    lower = layer(file("usr/lib/old", b""), symlink("lib", "usr/lib"))
    implied = root_of(lower, layer(file("lib/new", b"")))
    assert paths(implied) == ["/lib", "/usr/lib/new", "/usr/lib/old"]
    named = root_of(lower, layer(directory("lib"), file("lib/new", b"")))
    assert paths(named) == ["/lib/new", "/usr/lib/old"]


def test_members_of_one_layer_go_through_its_links() -> None:
    links = symlink("lib", "/usr/lib"), symlink("lib/up", "../..")
    root = root_of(layer(links[0], file("lib/a", b""), links[1], file("lib/up/b", b"")))
    assert paths(root) == ["/b", "/lib", "/usr/lib/a", "/usr/lib/up"]


def test_hardlinks_reach_into_lower_layers_and_outlive_what_they_link_to() -> None:
    lower = layer(file("usr/lib/os-release", b"ID=a\n"), symlink("lib", "usr/lib"))
    root = root_of(lower, layer(link("etc/os-release", "lib/os-release")), layer(whiteout("usr/lib/os-release")))
    assert root.text("/etc/os-release") == b"ID=a\n"
    assert root.text("/usr/lib/os-release") is None


@pytest.mark.parametrize("target", ["missing", "folder", "a"])
def test_hardlinks_to_nothing_are_refused(target: str) -> None:
    with pytest.raises(LayerUnreadableError, match="a hardlink leads nowhere"):
        root_of(layer(directory("folder")), layer(link("a", target)))


def test_a_file_below_a_file_is_refused() -> None:
    with pytest.raises(LayerUnreadableError, match="in what is no directory"):
        root_of(layer(file("a", b""), file("a/b", b"")))


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/bin/python", "/usr/bin/python3.12"),
        ("bin//./python", "/usr/bin/python3.12"),
        ("/usr/bin/../../../../bin/python3", "/usr/bin/python3.12"),
        ("/escape/bin/python3", "/usr/bin/python3.12"),
        ("/deep/bin/python3", "/usr/bin/python3.12"),
        ("/", "/"),
        ("/nothing", None),
        ("/usr/bin/python3.12/x", None),
        ("/loop", None),
        ("/self", None),
        ("/dangling", None),
    ],
)
def test_paths_are_resolved_inside_the_root(path: str, real: str | None) -> None:
    root = root_of(
        layer(
            file("usr/bin/python3.12", b""),
            symlink("usr/bin/python3", "python3.12"),
            symlink("usr/bin/python", "/bin/python3"),
            symlink("bin", "usr/bin"),
            symlink("escape", "../../../usr"),
            symlink("deep", "/../../usr/"),
            symlink("loop", "loop2"),
            symlink("loop2", "/loop"),
            symlink("self", "self/x"),
            symlink("dangling", "/no/such"),
        )
    )
    place = root.resolve(path)
    assert (place.path if place else None) == real


def test_texts_and_programs_are_kept_and_nothing_else() -> None:
    root = root_of(
        layer(
            file("usr/lib/os-release", b"ID=debian\n"),
            symlink("etc/os-release", "../usr/lib/os-release"),
            file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
            file("usr/bin/passwd", b"a program"),
            file("var/lib/dpkg/status", b"Package: a\n"),
            file("lib/apk/db/installed", b"P:a\n"),
            file("srv/secret", b"no"),
            file("usr/bin/python3.12", elf()),
            file("usr/bin/tool", elf()),
        )
    )
    kept = {place.path for place in root.walk() if place.node.text is not None}
    assert kept == {"/usr/lib/os-release", "/etc/passwd", "/var/lib/dpkg/status", "/lib/apk/db/installed"}
    assert root.text("/etc/os-release") == b"ID=debian\n"
    assert [place.path for place in root.programs()] == ["/usr/bin/python3.12"]


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/../a"])
def test_members_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(LayerUnreadableError, match=r"layer 1 of base cannot be read: .* leads out of it"):
        root_of(layer(file(path, b"")))


def test_bombs_are_stopped_without_being_held() -> None:
    def bomb() -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        head = tarfile.TarInfo("usr/bin/python3")
        head.size = 1 << 30
        parts = [packer.compress(head.tobuf() + elf())]
        parts += [packer.compress(bytes(1 << 20)) for _ in range(64)]
        return b"".join(parts) + packer.flush()

    data = bomb()
    assert len(data) < 1 << 20
    tracemalloc.start()
    with pytest.raises(LayerUnreadableError, match="too large"):
        root_of((GZIP, lambda: io.BytesIO(data)), layer_bytes=32 << 20)
    with pytest.raises(LayerUnreadableError, match="too many interpreters"):
        root_of((GZIP, lambda: io.BytesIO(data)), programs_bytes=32 << 20)
    with pytest.raises(LayerUnreadableError, match="cut short"):
        root_of((GZIP, lambda: io.BytesIO(data)))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_too_many_members_nodes_and_names_are_refused() -> None:
    many = layer(*(file(f"f{number}", b"") for number in range(60)))
    with pytest.raises(LayerUnreadableError, match="too many members"):
        root_of(many, members=50)
    with pytest.raises(LayerUnreadableError, match="too many files"):
        root_of(many, many, nodes=100)
    with pytest.raises(LayerUnreadableError, match="too many files"):
        root_of(layer(file("a/" * 60 + "b", b"")), nodes=50)
    with pytest.raises(LayerUnreadableError, match="too long names"):
        root_of(many, names=100)
    with pytest.raises(LayerUnreadableError, match="too many files"):
        root_of(layer(*(whiteout(f"w{number}") for number in range(60))), nodes=50)


def test_too_many_programs_are_refused() -> None:
    programs = layer(*(file(f"{number}/python3", elf()) for number in range(11)))
    assert len(list(root_of(programs).programs())) == 11
    with pytest.raises(LayerUnreadableError, match="too many interpreters"):
        root_of(programs, programs=10)


def test_names_and_links_past_the_limits_of_linux_are_refused() -> None:
    for entry in (file("a" * 256, b""), file("b/" * 2100 + "c", b""), symlink("d", "e/" * 2100)):
        with pytest.raises(LayerUnreadableError):
            root_of(layer(entry))
    assert len(paths(root_of(layer(file("a" * 255, b""), symlink("d", "e/" * 2000))))) == 2


def test_links_that_multiply_paths_do_not_take_for_ever() -> None:
    # Each link goes through the one before twice: in full, that would be 2 to the power of 39 links.
    entries = [directory("l0"), *(symlink(f"l{n}", f"l{n - 1}/../l{n - 1}") for n in range(1, 40))]
    root = root_of(layer(*entries))
    assert root.resolve("/l1") is not None
    assert root.resolve("/l39") is None
    long = [symlink("x", "./" * 2000 + "y"), directory("y"), *(file(f"x/{number}", b"") for number in range(60))]
    pairs = [member for entry in long[2:] for member in (entry, directory("z"), file(f"z/{entry.path[2:]}", b""))]
    with pytest.raises(LayerUnreadableError, match="take too long"):
        root_of(layer(*long[:2], *pairs), steps=50_000)


def test_a_very_deep_tree_is_no_trouble() -> None:
    deep = "d/" * 2000
    lower, upper = layer(file(f"{deep}a", b"")), layer(file(f"{deep}b", b""), file(f"{deep}.wh.a", b""))
    assert paths(root_of(lower, upper)) == [f"/{deep}b"]


def test_big_kept_files_are_left_out_and_many_are_refused() -> None:
    status = file("var/lib/dpkg/status", b"x" * 1000)
    assert root_of(layer(status), text_bytes=999).text("/var/lib/dpkg/status") is None
    with pytest.raises(LayerUnreadableError, match="too many package databases"):
        root_of(layer(status), layer(status), layer(status), texts_bytes=2500)


_NAMES = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", "a/c"])
_MEMBERS = st.lists(
    st.one_of(
        st.builds(lambda path: file(path, b""), _NAMES),
        st.builds(directory, _NAMES),
        st.builds(symlink, _NAMES, st.sampled_from(["a", "/b", "..", "../a/b", "c", "/"])),
        st.builds(whiteout, _NAMES),
        st.builds(lambda path: file(f"{path}/.wh..wh..opq", b""), _NAMES),
        st.builds(link, _NAMES, _NAMES),
    ),
    max_size=8,
)


@given(st.lists(_MEMBERS, min_size=1, max_size=4))
def test_any_layers_give_a_tree_or_our_error(layers: list[list[Entry]]) -> None:
    try:
        root = root_of(*(blob(raw_tar(*members)) for members in layers))
    except CrossdockError:
        return
    for place in root.walk():
        assert place.node.kind in {"file", "directory", "symlink"}
        real = root.resolve(place.path)
        if real is not None:
            again = root.resolve(real.path)
            assert again is not None
            assert again.node is real.node
            assert again.path == real.path


@given(st.binary(max_size=1500), st.integers(0, 4000), st.integers(0, 255))
def test_damaged_layers_give_our_error_or_a_tree(noise: bytes, at: int, value: int) -> None:
    raw = bytearray(raw_tar(file("usr/bin/python3", elf(interpreter="/lib/ld.so")), symlink("a", "b")))
    raw[at % len(raw)] = value
    for data in _damages(bytes(raw), noise, at):
        for media_type in (TAR, GZIP):
            try:
                root_of((media_type, lambda data=data: io.BytesIO(data)))  # type: ignore[misc]
            except LayerUnreadableError:
                continue


def _damages(raw: bytes, noise: bytes, at: int) -> Iterator[bytes]:
    yield raw
    yield noise
    yield raw[: at % len(raw)]
    yield gzip.compress(raw)
    yield gzip.compress(raw)[: at % len(raw)]
