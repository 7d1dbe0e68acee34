"""What targets tell each other."""

LayerInfo = provider(
    doc = "A layer of an image, and what is known of it.",
    fields = {
        "blob": "File: the layer, a tar file compressed by gzip.",
        "metadata": "File: JSON with its digest, size and diff_id, and what was seen in it.",
    },
)

WheelInfo = provider(
    doc = "A wheel that was chosen for the platform.",
    fields = {
        "file": "File: the wheel.",
        "filename": "str: its file name, which has its tags (PEP 427).",
        "layer": "LayerInfo: the layer that installs this wheel alone.",
        "name": "str: normalised name of its distribution (PEP 503).",
        "pure": "bool: whether it is the same for every platform.",
        "sha256": "str: SHA-256 of the file, in hex.",
        "size": "int: bytes of the file.",
        "version": "str: its version.",
    },
)

_EMPTY = {
    "imports": depset(),
    "is_python": True,
    "main": None,
    "main_module": "",
    "own_wheel": None,
    "programs": depset(),
    "root_symlinks": depset(),
    "sources": depset(),
    "symlinks": depset(),
    "wheels": depset(),
}

def _py_app_info(**kwargs):
    return _EMPTY | kwargs

PyAppInfo, _ = provider(
    doc = "A Python application without its interpreter: what images, PEX files and zips are made of. What is left out is empty.",
    init = _py_app_info,
    fields = {
        "imports": "depset[str]: folders to import from, relative to the runfiles' root, as in PyInfo; wheels' own left out.",
        "is_python": "bool: whether it is Python itself, and not just something that Python may be behind.",
        "main": "File or None: what is run.",
        "main_module": "str: the module that is run in place of a file.",
        "own_wheel": "File or None: folder that holds the own wheel of the application alone, if it is a project.",
        "programs": "depset[File]: those of the sources that are programs to be started.",
        "root_symlinks": "depset[SymlinkEntry]: files that are elsewhere in runfiles, by the path from the runfiles' root.",
        "sources": "depset[File]: its files, first-party code and data, without wheels and without an interpreter.",
        "symlinks": "depset[SymlinkEntry]: likewise, by the path in the main repository.",
        "wheels": "depset[WheelInfo]: the wheels it needs.",
    },
)

BaseInfo = provider(
    doc = "What an image stands on, for one platform.",
    fields = {
        "layers": "list[LayerInfo]: its layers, lowest first: the base's, an interpreter's, the environment's.",
        "metadata": "File: JSON with what is known of it (`base.json`).",
        "platform": "str: as in `linux/arm64`.",
        "problem": "str or None: what is to be told if an image stands on it.",
    },
)

ImageInfo = provider(
    doc = "An image for one platform.",
    fields = {
        "config": "File: its configuration.",
        "layers": "list[LayerInfo]: its layers, lowest first.",
        "manifest": "File: its manifest.",
        "metadata": "File: JSON that names all of it (`image.json`).",
        "platform": "str: as in `linux/arm64`.",
    },
)

IndexInfo = provider(
    doc = "An image index.",
    fields = {
        "images": "list[ImageInfo]: one for each platform.",
        "index": "File: the index.",
        "metadata": "File: JSON that names all of it (`index.json`).",
    },
)
