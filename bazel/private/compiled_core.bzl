"""crossdock's own program with bytecode for the Python that runs it: actions start twice as fast."""

load(":exec_python.bzl", "ExecPythonInfo", "needs_path")
load(":host_python.bzl", "PYTHON_OPTIONS")
load(":transitions.bzl", "ALLOWLIST", "tool_transition")

def _compiled_core_impl(ctx):
    python = ctx.attr._exec_python[ExecPythonInfo]
    out = ctx.actions.declare_file("crossdock.pyz")
    args = ctx.actions.args()
    args.add_all(PYTHON_OPTIONS + ["-S"])
    args.add(ctx.file._script)
    args.add(ctx.file.core)
    args.add(out)
    ctx.actions.run(
        arguments = [args],
        executable = python.interpreter or python.path,
        execution_requirements = {"block-network": "1", "supports-path-mapping": "1"},
        inputs = [ctx.file._script, ctx.file.core],
        mnemonic = "CrossdockCore",
        outputs = [out],
        progress_message = "Compiling crossdock",
        tools = python.files,
        use_default_shell_env = needs_path(python),
    )
    return [DefaultInfo(files = depset([out]))]

compiled_core = rule(
    implementation = _compiled_core_impl,
    cfg = tool_transition,
    doc = "The zipapp with bytecode for the Python of the configuration's machine. Depend on it with `cfg = \"exec\"`.",
    attrs = ALLOWLIST | {
        "core": attr.label(mandatory = True, allow_single_file = True, doc = "The zipapp."),
        "_exec_python": attr.label(
            default = "//bazel/private:exec_python",
            cfg = "exec",
            providers = [ExecPythonInfo],
        ),
        "_script": attr.label(default = "//bazel/private:compile_core.py", allow_single_file = True),
    },
)
