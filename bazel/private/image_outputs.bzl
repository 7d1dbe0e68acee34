"""What an image or index can be written as, on demand: nothing else depends on its layers' contents."""

load(":core.bzl", "run_core")
load(":image_contents.bzl", "add_contents", "content_files", "image_contents")
load(":providers.bzl", "ImageInfo", "IndexInfo")

def _write(ctx, command, contents, out, what):
    args = ctx.actions.args()
    add_contents(args, contents)
    if ctx.attr.tag:
        args.add("--tag", ctx.attr.tag)
    args.add_all([out], before_each = "--out", expand_directories = False)
    run_core(
        ctx,
        command,
        args,
        inputs = depset(content_files(contents)),
        outputs = [out],
        mnemonic = "CrossdockLayout",
        progress_message = "Writing %s of %%{label}" % what,
    )

def image_output_groups(ctx, image, index):
    """Declares the forms in which an image or index can be asked for.

    Args:
        ctx: context of a rule with `CORE_ATTRS` and an attribute `tag`.
        image: `ImageInfo`, or None for an index.
        index: `IndexInfo`, or None for an image.

    Returns:
        An `OutputGroupInfo` with `blobs`, `oci_layout` (a folder), `oci_tar`, and `docker_archive` for an image.
    """
    contents = image_contents({ImageInfo: image} if image else {IndexInfo: index})
    layout = ctx.actions.declare_directory(ctx.label.name + ".oci")
    _write(ctx, "layout", contents, layout, "an OCI layout")
    tar = ctx.actions.declare_file(ctx.label.name + ".oci.tar")
    _write(ctx, "layout", contents, tar, "an OCI layout in a tar file")
    groups = {
        "blobs": depset(contents.blobs),
        "oci_layout": depset([layout]),
        "oci_tar": depset([tar]),
    }
    if image:
        archive = ctx.actions.declare_file(ctx.label.name + ".docker.tar")
        _write(ctx, "archive", contents, archive, "a docker archive")
        groups["docker_archive"] = depset([archive])
    return OutputGroupInfo(**groups)
