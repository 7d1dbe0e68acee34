"""What `//bazel/config:base` is until somebody sets it."""

load(":providers.bzl", "BaseInfo")

def _no_base_impl(_ctx):
    return [BaseInfo(layers = [], metadata = None, platform = "")]

no_base = rule(
    implementation = _no_base_impl,
    doc = "No base. Images of Python applications that stand on it fail, and say how to name one.",
)
