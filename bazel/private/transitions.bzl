"""Configurations: for a platform, and for what is the same on all of them."""

load(":flags.bzl", "FLAG_DEFAULTS", "RULES_PYTHON_VERSION", "series_of")

_PLATFORMS = "//command_line_option:platforms"
_MODE = "//command_line_option:compilation_mode"
_FLAGS = {name: "//bazel/config:" + name for name in FLAG_DEFAULTS}

# What the layer or the import tree of a wheel depends on besides the wheel.
_KEPT = ["freethreaded", "python_version"]

ALLOWLIST = {
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}

def _target_impl(settings, attr):
    result = {flag: settings[flag] for flag in _FLAGS.values()}
    result[_PLATFORMS] = [str(attr.platform)] if attr.platform else settings[_PLATFORMS]
    for name in ["glibc", "macos", "musl", "python_version"]:
        value = getattr(attr, name)
        if value:
            result[_FLAGS[name]] = value
    if attr.freethreaded:
        result[_FLAGS["freethreaded"]] = attr.freethreaded == "yes"
    for flag in RULES_PYTHON_VERSION:
        # Where users have set the two flags to different series, that is for wheels to tell.
        theirs, ours = settings[flag], result[_FLAGS["python_version"]]
        result[flag] = ours if not theirs or (attr.python_version and series_of(theirs) != ours) else theirs
    return result

# For `rule(cfg = …)`: the rule and all below it are for the platform that its attributes name (TARGET_ATTRS).
target_transition = transition(
    implementation = _target_impl,
    inputs = [_PLATFORMS] + _FLAGS.values() + RULES_PYTHON_VERSION,
    outputs = [_PLATFORMS] + _FLAGS.values() + RULES_PYTHON_VERSION,
)

TARGET_ATTRS = {
    "freethreaded": attr.string(
        doc = "Whether for CPython without the global interpreter lock: `yes` or `no`; left out, as the flag " +
              "`//bazel/config:freethreaded` says.",
        values = ["", "yes", "no"],
    ),
    "glibc": attr.string(doc = "The oldest glibc to run on, as in `2.28`; left out, the flag `//bazel/config:glibc`."),
    "macos": attr.string(doc = "The oldest macOS to run on, as in `14.0`; left out, the flag `//bazel/config:macos`."),
    "musl": attr.string(doc = "The oldest musl to run on, as in `1.2`; left out, the flag `//bazel/config:musl`."),
    "platform": attr.label(
        doc = "The platform to build for, as in `@crossdock//platforms:linux_arm64`; left out, `--platforms`.",
    ),
    "python_version": attr.string(
        doc = "Series of CPython, as in `3.12`; left out, the flag `//bazel/config:python_version`.",
    ),
} | ALLOWLIST

def _default_flags():
    """What flags are where none counts; rules_python then takes the Python that it takes by default."""
    return {_FLAGS[name]: value for name, value in FLAG_DEFAULTS.items()} | {flag: "" for flag in RULES_PYTHON_VERSION}

def _canonical_impl(settings, _attr):
    result = _default_flags()
    result |= {_FLAGS[name]: settings[_FLAGS[name]] for name in _KEPT}
    result[_PLATFORMS] = [str(Label("//platforms:canonical"))]
    result[_MODE] = "fastbuild"
    return result

# For `attr.label(cfg = …)`: what is below is the same for all platforms, and is built once for all of them.
canonical_transition = transition(
    implementation = _canonical_impl,
    inputs = [_FLAGS[name] for name in _KEPT],
    outputs = [_PLATFORMS, _MODE] + _FLAGS.values() + RULES_PYTHON_VERSION,
)

def _tool_impl(_settings, _attr):
    return _default_flags()

# For `rule(cfg = …)` of what actions run: it is the same one whatever the actions build.
tool_transition = transition(
    implementation = _tool_impl,
    inputs = [],
    outputs = _FLAGS.values() + RULES_PYTHON_VERSION,
)
