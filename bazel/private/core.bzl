"""How actions run crossdock itself: the zipapp, on the Python of the machine that runs the action."""

load(":exec_python.bzl", "ExecPythonInfo", "needs_path")
load(":host_python.bzl", "PYTHON_OPTIONS")

CORE_ATTRS = {
    "_core": attr.label(
        default = "//bazel/private:core",
        allow_single_file = True,
        cfg = "exec",
    ),
    "_exec_python": attr.label(
        default = "//bazel/private:exec_python",
        cfg = "exec",
        providers = [ExecPythonInfo],
    ),
}

def run_core(
        ctx,
        command,
        arguments,
        inputs,
        outputs,
        mnemonic,
        progress_message = None,
        env = {},
        execution_requirements = {}):
    """Registers an action that runs a command of crossdock.

    Args:
        ctx: The rule's context; the rule has CORE_ATTRS.
        command: Name of the command.
        arguments: What follows it: a `ctx.actions.args()`, or a list of them. Files are given as `File`, so that paths
            can be mapped; the last one goes to a parameter file when it is long.
        inputs: depset or list of files.
        outputs: list of files.
        mnemonic: As `ctx.actions.run` has it.
        progress_message: As `ctx.actions.run` has it.
        env: Further environment variables.
        execution_requirements: Further ones.
    """
    python = ctx.attr._exec_python[ExecPythonInfo]
    head = ctx.actions.args()
    head.add_all(PYTHON_OPTIONS)
    head.add(ctx.file._core)
    head.add(command)
    arguments = arguments if type(arguments) == "list" else [arguments]
    for some in arguments[-1:]:
        some.set_param_file_format("multiline")
        some.use_param_file("--params=%s")
    ctx.actions.run(
        arguments = [head] + arguments,
        env = env,
        executable = python.interpreter or python.path,
        # No command that an action runs needs a network; build backends of projects might like one.
        execution_requirements = {"block-network": "1", "supports-path-mapping": "1"} | execution_requirements,
        inputs = depset([ctx.file._core], transitive = [inputs if type(inputs) == "depset" else depset(inputs)]),
        mnemonic = mnemonic,
        outputs = outputs,
        progress_message = progress_message,
        tools = python.files,
        use_default_shell_env = needs_path(python),
    )
