"""Loading images into an engine on this machine."""

load(":image_contents.bzl", "content_files", "image_contents")
load(":launcher.bzl", "RUN_ATTRS", "content_arguments", "launcher")
load(":providers.bzl", "ImageInfo", "IndexInfo")

def _load_impl(ctx):
    contents = image_contents(ctx.attr.image)
    return [launcher(ctx, [("load", content_arguments(contents) + ["--tag", ctx.attr.tag])], content_files(contents))]

image_load = rule(
    implementation = _load_impl,
    executable = True,
    doc = "`bazel run` loads an image into docker, podman or containerd: `bazel run //app:app_image_load -- --engine podman`.",
    attrs = RUN_ATTRS | {
        "image": attr.label(mandatory = True, providers = [[ImageInfo], [IndexInfo]], doc = "The image."),
        "tag": attr.string(mandatory = True, doc = "Its name there, as in `app:latest`."),
    },
)
