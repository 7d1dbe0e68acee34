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

PyAppInfo = provider(
    doc = "A Python application without its interpreter: what images, PEX files and zips are made of.",
    fields = {
        "imports": "depset[str]: folders to import from, relative to the runfiles' root, as in PyInfo; wheels' own left out.",
        "main": "File or None: what is run.",
        "own": "File or None: JSON about the project's own wheel, if the application is a project.",
        "own_wheel": "File or None: that wheel.",
        "programs": "depset[File]: those of the sources that are programs to be started; may be left out.",
        "sources": "depset[File]: its files, first-party code and data, without wheels and without an interpreter.",
        "wheels": "depset[WheelInfo]: the wheels it needs.",
    },
)

BaseInfo = provider(
    doc = "What an image stands on, for one platform.",
    fields = {
        "layers": "list[LayerInfo]: its layers, lowest first: the base's, an interpreter's, the environment's.",
        "metadata": "File: JSON with what is known of it (`base.json`).",
        "platform": "str: as in `linux/arm64`.",
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
