"""The one target of a configuration: system, architecture, C library and Python, as crossdock spells them."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")

TargetInfo = provider(
    doc = "What is built for. Everything that depends on the target is a function of this.",
    fields = {
        "arch": "str: as in OCI: `amd64`, `arm64`; empty if the platform has none that is known.",
        "floor": "str: version of the oldest C library or macOS to run on; empty on Windows.",
        "freethreaded": "bool: whether for CPython without the global interpreter lock.",
        "libc": "str: `glibc` or `musl`; empty outside Linux.",
        "os": "str: as in OCI: `linux`, `darwin`, `windows`; empty if the platform has none that is known.",
        "platform": "str: `linux/arm64`.",
        "python": "str: series of CPython: `3.11`.",
        "python_spelling": "str: the same, with a `t` if it is free-threaded: `3.13t`.",
        "spelling": "str: `linux/arm64+glibc2.28`.",
        "suffix": "str: what names of artifacts end in: `linux_arm64`.",
    },
)

def target_info(os, arch, libc, python, freethreaded, floors):
    """Puts a TargetInfo together.

    Args:
        os: As in OCI, or empty.
        arch: As in OCI, or empty.
        libc: `glibc` or `musl`; counts on Linux only.
        python: Series of CPython.
        freethreaded: Whether it is free-threaded.
        floors: dict: versions of `glibc`, `musl` and `macos`.

    Returns:
        The TargetInfo.
    """
    kind = {"darwin": "macos", "linux": libc}.get(os, "")
    floor = floors.get(kind, "")
    known = os and arch
    return TargetInfo(
        os = os,
        arch = arch,
        libc = libc if os == "linux" else "",
        floor = floor,
        python = python,
        freethreaded = freethreaded,
        platform = "%s/%s" % (os, arch) if known else "",
        spelling = "%s/%s%s" % (os, arch, "+" + kind + floor if kind else "") if known else "",
        python_spelling = python + ("t" if freethreaded else ""),
        suffix = "%s_%s" % (os, arch) if known else "",
    )

def require_target(ctx, target):
    """Gives the TargetInfo of a target, or fails if the platform is none that crossdock knows.

    Args:
        ctx: The rule's context, for the message.
        target: The dependency on `//bazel/private:target`.

    Returns:
        The TargetInfo.
    """
    info = target[TargetInfo]
    if not info.platform:
        fail("%s: the platform it is built for has %s that crossdock knows: set `platform`, or --platforms, to one of " %
             (ctx.label, "no operating system" if not info.os else "no processor") +
             "@crossdock//platforms, or to one of your own with constraint values of @platforms//os and @platforms//cpu")
    return info

def _current_target_impl(ctx):
    return [target_info(
        os = ctx.attr.os,
        arch = ctx.attr.arch,
        libc = ctx.attr.libc,
        python = ctx.attr.python_version[BuildSettingInfo].value,
        freethreaded = ctx.attr.freethreaded[BuildSettingInfo].value,
        floors = {
            "glibc": ctx.attr.glibc[BuildSettingInfo].value,
            "macos": ctx.attr.macos[BuildSettingInfo].value,
            "musl": ctx.attr.musl[BuildSettingInfo].value,
        },
    )]

current_target = rule(
    implementation = _current_target_impl,
    doc = "Says what the configuration is for.",
    attrs = {
        "arch": attr.string(doc = "Selected by the processor."),
        "freethreaded": attr.label(providers = [BuildSettingInfo], doc = "The flag."),
        "glibc": attr.label(providers = [BuildSettingInfo], doc = "The flag."),
        "libc": attr.string(doc = "Selected by the C library."),
        "macos": attr.label(providers = [BuildSettingInfo], doc = "The flag."),
        "musl": attr.label(providers = [BuildSettingInfo], doc = "The flag."),
        "os": attr.string(doc = "Selected by the operating system."),
        "python_version": attr.label(providers = [BuildSettingInfo], doc = "The flag."),
    },
    provides = [TargetInfo],
)
