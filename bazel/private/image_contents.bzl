"""All files of an image or an index, for those who write, send or prove it."""

load(":providers.bzl", "ImageInfo", "IndexInfo")

def image_contents(target):
    """Lists what an image or an index is made of.

    Args:
        target: Target with `ImageInfo` or `IndexInfo`.

    Returns:
        A struct with `images` (list of File, `image.json` of each platform), `index` (the JSON about an index, or None),
        `index_blob` (the index itself, or None) and `blobs` (list of File: manifests, configurations, layers).
    """
    images = target[IndexInfo].images if IndexInfo in target else [target[ImageInfo]]
    index = target[IndexInfo] if IndexInfo in target else None
    blobs = {}
    for image in images:
        for file in [image.manifest, image.config] + [layer.blob for layer in image.layers]:
            blobs[file] = None
    return struct(
        blobs = ([index.index] if index else []) + blobs.keys(),
        images = [image.metadata for image in images],
        index = index.metadata if index else None,
        index_blob = index.index if index else None,
    )

def add_contents(args, contents):
    """Adds the files of an image or index to a command's arguments.

    Args:
        args: Args.
        contents: what `image_contents` gives.
    """
    args.add_all(contents.images, before_each = "--image")
    if contents.index:
        args.add("--index", contents.index)
    args.add_all(contents.blobs, before_each = "--blob")

def content_files(contents):
    """Lists the same files as inputs.

    Args:
        contents: what `image_contents` gives.

    Returns:
        A list of File.
    """
    return contents.images + ([contents.index] if contents.index else []) + contents.blobs
