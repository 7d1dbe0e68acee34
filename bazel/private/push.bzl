"""Sending images to a registry."""

load(":image_contents.bzl", "content_files", "image_contents")
load(":launcher.bzl", "RUN_ATTRS", "content_arguments", "launcher")
load(":providers.bzl", "ImageInfo", "IndexInfo")

def _push_impl(ctx):
    contents = image_contents(ctx.attr.image)
    arguments = content_arguments(contents) + ["--repository", "%s/%s" % (ctx.attr.registry, ctx.attr.repository)]
    for tag in ctx.attr.remote_tags:
        arguments.extend(["--tag", tag])
    return [launcher(ctx, [("push", arguments)], content_files(contents))]

image_push = rule(
    implementation = _push_impl,
    executable = True,
    doc = "`bazel run` sends an image or index to a registry: `bazel run //app:app_image_push -- --tag v1`.",
    attrs = RUN_ATTRS | {
        "image": attr.label(mandatory = True, providers = [[ImageInfo], [IndexInfo]], doc = "The image or index."),
        "registry": attr.string(mandatory = True, doc = "The registry, as in `ghcr.io`."),
        "remote_tags": attr.string_list(doc = "Tags it always gets; more are given when it is run."),
        "repository": attr.string(mandatory = True, doc = "The repository, as in `team/app`."),
    },
)
