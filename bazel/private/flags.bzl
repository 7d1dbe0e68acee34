"""Flags that hold a version, and what their values are when nothing is said."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("@rules_python//python:versions.bzl", "MINOR_MAPPING")

# The flags of //bazel/config and their defaults. The BUILD file there says the same; a test compares them.
FLAG_DEFAULTS = {
    "freethreaded": False,
    "glibc": "2.28",
    "macos": "14.0",
    "musl": "1.2",
    "python_version": "3.11",
}

# The flag of rules_python that its toolchains are chosen by. Releases from before Python 3.12 have one that takes no
# series and chooses nothing; there is nothing to set there.
RULES_PYTHON_VERSION = [
    str(Label("@rules_python//python/config_settings:python_version")),
] if any([int(series.split(".")[1]) >= 12 for series in MINOR_MAPPING]) else []

def series_of(version):
    """Gives the series of a version of Python.

    Args:
        version: As in `3.12.4`; may be empty.

    Returns:
        As in `3.12`.
    """
    return ".".join(version.split(".")[:2])

def python_disagreement(ours, theirs):
    """Says what is wrong where crossdock and rules_python are set to different Pythons.

    Args:
        ours: The value of `//bazel/config:python_version`.
        theirs: That of rules_python's flag; empty if it is not set.

    Returns:
        A message, or None.
    """
    if not theirs or series_of(theirs) == ours:
        return None
    return "\n".join([
        "its wheels are those for Python %s, but rules_python is set to Python %s" % (ours, theirs),
        "  why: the wheels are chosen by @crossdock//bazel/config:python_version, the interpreter by " +
        "@rules_python//python/config_settings:python_version",
        "  hint: set both to the same series, in .bazelrc say",
        "        build --@crossdock//bazel/config:python_version=%s" % series_of(theirs),
        "        build --@rules_python//python/config_settings:python_version=%s" % series_of(theirs),
        "        For one application: `python_version` of crossdock's rules sets both, that of py_binary and py_test " +
        "only rules_python's.",
    ])

def version_problem(value, majors = []):
    """Says what is wrong with a version.

    Args:
        value: What was given.
        majors: What its first number may be; any if empty.

    Returns:
        What is wrong with it, or None.
    """
    parts = value.split(".")
    if len(parts) != 2 or not all([part.isdigit() and len(part) <= 3 for part in parts]):
        return "two numbers with a dot are wanted, as in %s" % (majors[0] + ".11" if majors else "14.0")
    if majors and parts[0] not in majors:
        return "the first number has to be %s" % " or ".join(majors)
    if any([part != str(int(part)) for part in parts]):
        return "numbers are written without leading zeros"
    return None

def _version_flag_impl(ctx):
    value = ctx.build_setting_value
    problem = version_problem(value, ctx.attr.majors)
    if problem:
        fail("%s is %r: %s. Set --%s=%s, say." % (ctx.label, value, problem, ctx.label, FLAG_DEFAULTS.get(ctx.label.name, "1.2")))
    return [BuildSettingInfo(value = value)]

version_flag = rule(
    implementation = _version_flag_impl,
    doc = "A flag that holds a version of two numbers.",
    attrs = {
        "majors": attr.string_list(doc = "What the first number may be; any if empty."),
    },
    build_setting = config.string(flag = True),
)
