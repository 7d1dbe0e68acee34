"""What stands where there is no base: images that need one say so, and others do not mind."""

load(":missing.bzl", "no_target_message")
load(":providers.bzl", "BaseInfo")
load(":target.bzl", "TargetInfo")

def _no_base_impl(_ctx):
    return [BaseInfo(layers = [], metadata = None, platform = "", problem = None)]

no_base = rule(
    implementation = _no_base_impl,
    doc = "No base: what `//bazel/config:base` is until somebody sets it. Images that stand on it say how to name one.",
)

def _no_base_here_impl(ctx):
    message = no_target_message(ctx.attr.what, ctx.attr.attribute, ctx.attr._target[TargetInfo], ctx.attr.targets)
    return [BaseInfo(layers = [], metadata = None, platform = "", problem = message)]

no_base_here = rule(
    implementation = _no_base_here_impl,
    doc = "No base for what is built for, as a flag may name one for all images: it is an error to stand on it.",
    attrs = {
        "attribute": attr.string(mandatory = True, doc = "Where users say what there is to be."),
        "targets": attr.string_list(mandatory = True, doc = "What there is."),
        "what": attr.string(mandatory = True, doc = "What is asked for."),
        "_target": attr.label(default = "//bazel/private:target", providers = [TargetInfo]),
    },
)
