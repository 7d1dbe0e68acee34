"""An index of images for several platforms."""

load(":core.bzl", "CORE_ATTRS", "run_core")
load(":image_outputs.bzl", "image_output_groups")
load(":providers.bzl", "ImageInfo", "IndexInfo")

def _index_impl(ctx):
    images = [image[ImageInfo] for image in ctx.attr.images]
    by_platform = {}
    for target, image in zip(ctx.attr.images, images):
        other = by_platform.get(image.platform)
        if other:
            fail("%s: both %s and %s are for %s, of which an index holds one" % (ctx.label, other, target.label, image.platform))
        by_platform[image.platform] = target.label
    index = ctx.actions.declare_file(ctx.label.name + ".index.json")
    metadata = ctx.actions.declare_file(ctx.label.name + ".json")
    args = ctx.actions.args()
    args.add_all([image.metadata for image in images], before_each = "--image")
    args.add("--index", index)
    args.add("--metadata", metadata)
    run_core(
        ctx,
        "index",
        args,
        inputs = depset([image.metadata for image in images]),
        outputs = [index, metadata],
        mnemonic = "CrossdockIndex",
        progress_message = "Putting together index %{label}",
    )
    info = IndexInfo(images = images, index = index, metadata = metadata)
    files = [index, metadata]
    for image in images:
        files.extend([image.manifest, image.config, image.metadata])
    return [DefaultInfo(files = depset(files)), info, image_output_groups(ctx, None, info)]

image_index = rule(
    implementation = _index_impl,
    doc = "An image index. Each image brings its own platform; the index asks for none.",
    attrs = CORE_ATTRS | {
        "images": attr.label_list(mandatory = True, allow_empty = False, providers = [ImageInfo], doc = "Images, one for each platform."),
        "tag": attr.string(doc = "Name and tag in archives."),
    },
)
