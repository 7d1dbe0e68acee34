"""Mutants that cannot be proved: damaged, ambiguous, or not what names them by digest."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from tests.support.binarypatches import Elf, MachO, Pe
from tests.support.mutants import Table
from tests.support.treefiles import TreeFile, TreeFiles

if TYPE_CHECKING:
    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutantimages import MutantImage
    from tests.support.mutants import Bundle, Image

__all__ = ["ROWS"]

_TABLE = Table()
_row = _TABLE.row
ROWS = _TABLE.rows

_SITE = "lib/python3.11/site-packages"
_CORE = f"{_SITE}/pydantic_core/_pydantic_core.*.so"
_LABEL = "pydantic-core *"
_MARKUP = "markupsafe *"
_OWN = "hello_fastapi-"


@_row("image", "nothing-read", "the arm64 image has nothing but an empty layer")
def image_of_an_empty_layer(it: Image, _: CleanArtifacts) -> None:
    layout = it.layout
    data, diff_id = TreeFiles({}).to_layer()
    config, manifest = layout.config("arm64"), layout.manifest("arm64")
    config["rootfs"]["diff_ids"], config["history"] = [diff_id], config["history"][:1]
    manifest["layers"] = [layout.put(data, manifest["layers"][0]["mediaType"])]
    layout.put_manifest(manifest, "arm64")
    layout.put_config(config, "arm64")


@_row("image", "nothing-read", "the arm64 image has no layers at all")
def image_without_layers(it: Image, _: CleanArtifacts) -> None:
    def none(config: dict[str, Any]) -> None:
        config["rootfs"]["diff_ids"], config["history"] = [], []

    it.layout.edit_manifest(lambda manifest: manifest.update(layers=[]), "arm64")
    it.layout.edit_config(none, "arm64")


@_row("Linux wheel", "elf-undecided", "`EI_CLASS` of its module is 3, which is none", path="*.so", package=_MARKUP)
def elf_of_no_class(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.ident(4, 3))


@_row("Linux wheel", "elf-undecided", "its module is cut after 40 bytes", path="*.so", package=_MARKUP)
def elf_cut_short(it: Bundle, _: CleanArtifacts) -> None:
    _cut(it.files, "*.so", 40)


@_row("macOS wheel", "macho-undecided", "its module is cut after 10 bytes", path="*.so", package=_MARKUP)
def macho_cut_short(it: Bundle, _: CleanArtifacts) -> None:
    _cut(it.files, "*.so", 10)


@_row("Windows wheel", "pe-undecided", "the signature of its module's PE header is XX", path="*.pyd", package=_MARKUP)
def pe_without_a_signature(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.pyd", Pe, lambda pe: pe.signature(b"XX\0\0"))


@_row("Windows wheel", "pe-undecided", "its module is cut before its PE header", path="*.pyd", package=_MARKUP)
def pe_cut_short(it: Bundle, _: CleanArtifacts) -> None:
    _cut(it.files, "*.pyd", it.files.files[it.files.find("*.pyd")].content.index(b"PE\0\0"))


@_row("Windows wheel", "header-damaged", "its module is cut within its PE header", path="*.pyd", package=_MARKUP)
def pe_cut_in_its_header(it: Bundle, _: CleanArtifacts) -> None:
    _cut(it.files, "*.pyd", it.files.files[it.files.find("*.pyd")].content.index(b"PE\0\0") + 10)


@_row("Linux wheel", "header-damaged", "`e_phoff` of its module leads past its end", path="*.so", package=_MARKUP)
def elf_without_program_headers(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.header_offset(1 << 40))


@_row("Linux wheel", "header-damaged", "`DT_STRTAB` of its module is in no segment", path="*.so", package=_MARKUP)
def elf_without_names(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.set_dynamic(5, 1 << 40))


@_row("Linux wheel", "header-damaged", "its module is cut in the middle", path="*.so", package=_MARKUP)
def elf_cut_in_the_middle(it: Bundle, _: CleanArtifacts) -> None:
    _cut(it.files, "*.so", 10_000)


@_row("macOS wheel", "header-damaged", "`sizeofcmds` of its module is 8", path="*.so", package=_MARKUP)
def macho_without_commands(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", MachO, lambda macho: macho.commands_length(8))


@_row("Windows wheel", "header-damaged", "its module's imports are at no place in it", path="*.pyd", package=_MARKUP)
def pe_without_imports(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.pyd", Pe, lambda pe: pe.directory(1, 0x7000_0000, 40))


@_row("image", "no-image", "its index.json lists nothing")
def layout_of_nothing(it: Image, _: CleanArtifacts) -> None:
    it.layout.write_index(top=lambda index: index.update(manifests=[]))


@_row("image", "no-image", "all entries of its index are for unknown/unknown, as those of attestations")
def layout_of_attestations(it: Image, _: CleanArtifacts) -> None:
    for entry in it.layout.index["manifests"]:
        entry["platform"] = {"os": "unknown", "architecture": "unknown"}
    it.layout.write_index()


@_row("image", "not-an-image", "the config of the arm64 image has the media type of a Helm chart")
def chart_for_an_image(it: Image, _: CleanArtifacts) -> None:
    media_type = "application/vnd.cncf.helm.config.v1+json"
    it.layout.edit_manifest(lambda manifest: manifest["config"].update(mediaType=media_type), "arm64")


@_row("image", "not-an-image", "the config of its one image has the media type of a Helm chart")
def chart_for_the_only_image(it: Image, _: CleanArtifacts) -> None:
    media_type = "application/vnd.cncf.helm.config.v1+json"
    it.layout.only("amd64")
    it.layout.edit_manifest(lambda manifest: manifest["config"].update(mediaType=media_type))


@_row("image", "index-malformed", "an index within its index has no list of manifests")
def index_without_a_list(it: Image, _: CleanArtifacts) -> None:
    inner = it.layout.put(b'{"schemaVersion": 2}', "application/vnd.oci.image.index.v1+json")
    it.layout.index["manifests"].append(inner)
    it.layout.write_index()


@_row("image", "index-malformed", "an entry of its index is a text")
def index_with_a_text(it: Image, _: CleanArtifacts) -> None:
    it.layout.index["manifests"].append("sha256:0")
    it.layout.write_index()


@_row("image", "manifest-malformed", "the manifest of the arm64 image has no layers")
def manifest_without_layers(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_manifest(lambda manifest: manifest.pop("layers"), "arm64")


@_row("image", "manifest-malformed", "the manifest of the arm64 image is no JSON object")
def manifest_of_a_list(it: Image, _: CleanArtifacts) -> None:
    it.layout.put_manifest([it.layout.manifest("arm64")], "arm64")


@_row("image", "manifest-ambiguous", "the manifest of the arm64 image has a list of manifests as well")
def manifest_that_is_an_index(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_manifest(lambda manifest: manifest.update(manifests=[]), "arm64")


@_row("image", "manifest-ambiguous", "the manifest of the arm64 image says of itself that it is an index")
def manifest_that_says_index(it: Image, _: CleanArtifacts) -> None:
    media_type = "application/vnd.oci.image.index.v1+json"
    it.layout.edit_manifest(lambda manifest: manifest.update(mediaType=media_type), "arm64")


@_row("image", "config-malformed", "the config of the arm64 image names no architecture")
def config_without_a_platform(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_config(lambda config: config.pop("architecture"), "arm64")


@_row("image", "config-malformed", "the config of the arm64 image is no JSON object")
def config_of_a_list(it: Image, _: CleanArtifacts) -> None:
    it.layout.put_config([it.layout.config("arm64")], "arm64")


@_row("image", "descriptor-malformed", "a layer's descriptor has no size")
def descriptor_without_a_size(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_manifest(lambda manifest: manifest["layers"][-1].pop("size"))


@_row("image", "descriptor-malformed", "a layer's descriptor has a digest that leads out of the layout")
def descriptor_that_leads_out(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_manifest(lambda manifest: manifest["layers"][-1].update(digest="sha256:../../../etc/passwd"))


@_row("image", "blob-missing", "the blob of a layer is left out")
def layer_left_out(it: Image, _: CleanArtifacts) -> None:
    it.layout.blob(_last_layer(it.layout)).unlink()


@_row("image", "blob-missing", "the blob of a config is left out")
def config_left_out(it: Image, _: CleanArtifacts) -> None:
    it.layout.blob(it.layout.manifest()["config"]["digest"]).unlink()


@_row("image", "blob-missing", "it is asked for amd64 and arm64, and the blob of one manifest is left out")
def manifest_left_out(it: Image, _: CleanArtifacts) -> None:
    it.asked.targets, it.asked.python = ("linux/amd64", "linux/arm64"), "3.11"
    it.layout.blob(it.layout.entry("arm64")["digest"]).unlink()


@_row("image", "blob-size", "a layer's descriptor has another size")
def descriptor_of_another_size(it: Image, _: CleanArtifacts) -> None:
    size = it.layout.manifest()["layers"][-1]["size"] + 1
    it.layout.edit_manifest(lambda manifest: manifest["layers"][-1].update(size=size))


@_row("image", "blob-digest", "a byte of a config is changed where it lies")
def config_with_another_byte(it: Image, _: CleanArtifacts) -> None:
    digest = it.layout.manifest()["config"]["digest"]
    it.layout.overwrite(digest, it.layout.blob(digest).read_bytes().replace(b"Hello", b"Jello"))


@_row("image", "blob-digest", "a layer is cut short, and filled up with zeros to its size")
def layer_of_zeros(it: Image, _: CleanArtifacts) -> None:
    digest = _last_layer(it.layout)
    data = it.layout.blob(digest).read_bytes()
    it.layout.overwrite(digest, data[: len(data) // 2].ljust(len(data), b"\0"))


@_row(
    "image", "blob-unreadable", "reading a layer ends in an input/output error, as a bad disk's (a link to such a file)"
)
def layer_on_a_bad_disk(it: Image, _: CleanArtifacts) -> None:
    number = it.layout.layer_of(": pydantic-core")
    blob = it.layout.blob(it.layout.manifest()["layers"][number]["digest"])
    blob.unlink()
    # Of this process's memory, the first page cannot be read.
    blob.symlink_to("/proc/self/mem")
    it.layout.edit_manifest(lambda manifest: manifest["layers"][number].update(size=0))


@_row("image", "layer-digest", "the time in a layer's gzip header is changed where it lies")
def layer_with_another_byte(it: Image, _: CleanArtifacts) -> None:
    digest = _last_layer(it.layout)
    data = bytearray(it.layout.blob(digest).read_bytes())
    data[4:8] = b"\1\2\3\4"
    it.layout.overwrite(digest, bytes(data))


@_row("image", "layer-diff-id", "a diff_id in the config is that of another layer")
def diff_id_of_another_layer(it: Image, _: CleanArtifacts) -> None:
    def change(config: dict[str, Any]) -> None:
        diff_ids = config["rootfs"]["diff_ids"]
        diff_ids[-1] = diff_ids[0]

    it.layout.edit_config(change)


@_row("image", "layer-diff-id", "its manifest has two layers in another order than the config")
def layers_in_another_order(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_manifest(lambda manifest: manifest["layers"].insert(2, manifest["layers"].pop(3)))


@_row("image", "layer-count", "the config has one diff_id less")
def one_diff_id_less(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_config(lambda config: config["rootfs"]["diff_ids"].pop())


@_row("image", "layer-unreadable", "a layer is cut short, its digest and size are right")
def layer_cut_short(it: Image, _: CleanArtifacts) -> None:
    number = it.layout.layer_of(_OWN)
    data = it.layout.blob(_last_layer(it.layout)).read_bytes()
    it.layout.put_layer(number, data[: len(data) // 2], it.layout.config()["rootfs"]["diff_ids"][number])


@_row("image", "layer-unreadable", "a layer holds ../../etc/cron.d/job")
def layer_that_leads_out(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer(_OWN, lambda files: files.add("../../etc/cron.d/job", TreeFile(b"* * * * * root true\n")))


@_row("image", "layer-unreadable", "a layer has a second archive behind its end")
def layer_with_something_behind(it: Image, _: CleanArtifacts) -> None:
    number = it.layout.layer_of(_OWN)
    data = it.layout.blob(_last_layer(it.layout)).read_bytes()
    more = TreeFiles({"app/late.py": TreeFile(b"import os\n")}).to_tar()
    it.layout.put_layer(number, data + gzip.compress(more, mtime=0), it.layout.config()["rootfs"]["diff_ids"][number])


@_row("image", "layer-unsupported", "a layer's media type says that it is encrypted")
def layer_of_an_unknown_kind(it: Image, _: CleanArtifacts) -> None:
    media_type = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
    it.layout.edit_manifest(lambda manifest: manifest["layers"][-1].update(mediaType=media_type))


def _last_layer(layout: MutantImage) -> str:
    digest: str = layout.manifest()["layers"][-1]["digest"]
    return digest


def _cut(files: TreeFiles, pattern: str, size: int) -> None:
    files.write(pattern, files.files[files.find(pattern)].content[:size])
