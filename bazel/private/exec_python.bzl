"""The Python that actions run on: that of the machine they run on, never the target's."""

load(":transitions.bzl", "ALLOWLIST", "tool_transition")

_TOOLCHAIN = "@bazel_tools//tools/python:toolchain_type"
_FIRST = (3, 11)

ExecPythonInfo = provider(
    doc = "A Python interpreter.",
    fields = {
        "files": "depset[File]: what it needs to run, itself included.",
        "interpreter": "File or None: the interpreter.",
        "path": "str or None: its path, if it is one that the machine has.",
    },
)

def needs_path(python):
    """Says whether a Python is one that is looked for in PATH; one that is given needs nothing of the machine.

    Args:
        python: ExecPythonInfo.

    Returns:
        Whether it is.
    """
    return python.interpreter == None or python.interpreter.extension == "sh"

def _exec_python_impl(ctx):
    runtime = getattr(ctx.toolchains[_TOOLCHAIN], "py3_runtime", None)
    if not runtime:
        fail("%s: the Python toolchain for this machine has no Python 3: register another one" % ctx.label)
    version = getattr(runtime, "interpreter_version_info", None)
    major, minor = getattr(version, "major", None), getattr(version, "minor", None)
    if major != None and minor != None and (int(major), int(minor)) < _FIRST:
        fail("%s: the Python toolchain for this machine is %s.%s, but crossdock needs 3.11 or later: register one, " %
             (ctx.label, major, minor) + "as in `python.toolchain(python_version = \"3.12\", is_default = True)`")
    files = runtime.files or depset()
    if runtime.interpreter:
        files = depset([runtime.interpreter], transitive = [files])
    return [
        DefaultInfo(files = files),
        ExecPythonInfo(files = files, interpreter = runtime.interpreter, path = runtime.interpreter_path),
    ]

exec_python = rule(
    implementation = _exec_python_impl,
    attrs = ALLOWLIST,
    cfg = tool_transition,
    doc = "Finds the Python of the configuration it is built in. Depend on it with `cfg = \"exec\"`.",
    toolchains = [_TOOLCHAIN],
)
