"""Flags that hold a version, and what their values are when nothing is said."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")

# The flags of //bazel/config and their defaults. The BUILD file there says the same; a test compares them.
FLAG_DEFAULTS = {
    "freethreaded": False,
    "glibc": "2.28",
    "macos": "14.0",
    "musl": "1.2",
    "python_version": "3.11",
}

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
