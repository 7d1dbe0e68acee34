"""crossdock as programs run it that are started later: by `bazel run` on the machine of whoever calls it, by tests on theirs.

An action's Python would not do: with remote execution that is another machine's.
"""

load(":exec_python.bzl", "ExecPythonInfo")
load(":host_python.bzl", "PYTHON_OPTIONS")
load(":transitions.bzl", "ALLOWLIST")

CoreToolInfo = provider(
    doc = "How crossdock is started.",
    fields = {
        "command": "list[str or File]: the program and its first arguments; the name of a command follows.",
        "files": "depset[File]: all that has to be there.",
    },
)

_HOST = "//command_line_option:host_platform"
_PLATFORMS = "//command_line_option:platforms"

def _host_impl(settings, _attr):
    return {_PLATFORMS: [str(settings[_HOST])]}

_host_transition = transition(
    implementation = _host_impl,
    inputs = [_HOST],
    outputs = [_PLATFORMS],
)

def _core_tool_impl(ctx):
    python = ctx.attr._exec_python[ExecPythonInfo]
    return [CoreToolInfo(
        command = [python.interpreter or python.path] + PYTHON_OPTIONS + [ctx.file._core],
        files = depset([ctx.file._core], transitive = [python.files]),
    )]

# What it stands on is of its own configuration, not of one for actions.
_ATTRS = {
    "_core": attr.label(default = "//bazel/private:core", allow_single_file = True),
    "_exec_python": attr.label(default = "//bazel/private:exec_python", providers = [ExecPythonInfo]),
}

core_tool = rule(
    implementation = _core_tool_impl,
    doc = "crossdock on the Python of its configuration. Depend on it with `cfg = config.exec(…)`.",
    attrs = _ATTRS,
    provides = [CoreToolInfo],
)

host_core_tool = rule(
    implementation = _core_tool_impl,
    cfg = _host_transition,
    doc = "crossdock on the Python of the machine that `bazel run` is called on, whatever is built for and wherever that is done.",
    attrs = _ATTRS | ALLOWLIST,
    provides = [CoreToolInfo],
)
