"""A distribution of a lock, for one target: what labels of a hub stand for."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("@rules_python//python:py_info.bzl", "PyInfo")
load(":flags.bzl", "RULES_PYTHON_VERSION", "python_disagreement")
load(":providers.bzl", "PyAppInfo", "WheelInfo")
load(":transitions.bzl", "ALLOWLIST", "canonical_transition")
load(":wheel.bzl", "WheelTreeInfo")

def _check_python(ctx):
    """Refuses wheels of another Python than the one that rules_python is set to."""
    theirs = ctx.attr._rules_python_version

    # Machines that run actions have a Python of their own, and Bazel may reset flags for them.
    if not theirs or "-exec" in ctx.bin_dir.path:
        return
    problem = python_disagreement(
        ctx.attr._python_version[BuildSettingInfo].value,
        theirs[BuildSettingInfo].value,
    )
    if problem:
        fail("%s: %s" % (ctx.label, problem))

def _wheel_library_impl(ctx):
    _check_python(ctx)
    wheels = ctx.attr.wheel
    trees = [wheel[WheelTreeInfo].tree for wheel in wheels]
    files = depset([wheel[WheelInfo].file for wheel in wheels])
    runfiles = ctx.runfiles(files = trees).merge_all([dep[DefaultInfo].default_runfiles for dep in ctx.attr.deps])
    providers = [
        DefaultInfo(files = files, runfiles = runfiles),
        PyInfo(
            imports = depset(
                [wheel[WheelTreeInfo].import_path for wheel in wheels],
                transitive = [dep[PyInfo].imports for dep in ctx.attr.deps],
            ),
            transitive_sources = depset(trees, transitive = [dep[PyInfo].transitive_sources for dep in ctx.attr.deps]),
            uses_shared_libraries = any(
                [not wheel[WheelInfo].pure for wheel in wheels] +
                [dep[PyInfo].uses_shared_libraries for dep in ctx.attr.deps],
            ),
        ),
        PyAppInfo(
            wheels = depset(
                [wheel[WheelInfo] for wheel in wheels],
                transitive = [dep[PyAppInfo].wheels for dep in ctx.attr.deps],
            ),
        ),
    ]
    for wheel in wheels:
        providers += [wheel[WheelInfo], wheel[WheelTreeInfo]]
    return providers

wheel_library = rule(
    implementation = _wheel_library_impl,
    doc = """A wheel and what it needs, for Python rules and for crossdock's.

Without a wheel, it is only what it needs: an extra or a group.
""",
    attrs = {
        "deps": attr.label_list(doc = "What it needs.", providers = [PyInfo, PyAppInfo]),
        "wheel": attr.label(
            cfg = canonical_transition,
            doc = "The wheel.",
            providers = [WheelInfo, WheelTreeInfo],
        ),
        "_python_version": attr.label(default = "//bazel/config:python_version"),
        "_rules_python_version": attr.label(default = RULES_PYTHON_VERSION[0] if RULES_PYTHON_VERSION else None),
    } | ALLOWLIST,
    provides = [PyInfo, PyAppInfo],
)
