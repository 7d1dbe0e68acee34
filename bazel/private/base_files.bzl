"""A base of images, as a repository has it."""

load(":providers.bzl", "BaseInfo", "LayerInfo")

def _base_files_impl(ctx):
    if len(ctx.files.blobs) != len(ctx.files.layers):
        fail("%s has %d blobs, but %d layers are described" % (ctx.label, len(ctx.files.blobs), len(ctx.files.layers)))
    layers = [
        LayerInfo(blob = blob, metadata = metadata)
        for blob, metadata in zip(ctx.files.blobs, ctx.files.layers)
    ]
    return [
        DefaultInfo(files = depset([ctx.file.metadata])),
        OutputGroupInfo(layers = depset(ctx.files.blobs + ctx.files.layers)),
        BaseInfo(layers = layers, metadata = ctx.file.metadata, platform = ctx.attr.platform, problem = None),
    ]

base_files = rule(
    implementation = _base_files_impl,
    doc = "A base for one platform.",
    attrs = {
        "blobs": attr.label_list(allow_files = True, doc = "Layers, lowest first."),
        "layers": attr.label_list(allow_files = True, doc = "What is known of each, in the same order."),
        "metadata": attr.label(allow_single_file = True, mandatory = True, doc = "What is known of the base."),
        "platform": attr.string(mandatory = True, doc = "As in `linux/arm64`."),
    },
    provides = [BaseInfo],
)
