"""The Python that repository rules and the module extension run: one that this machine has."""

# No variable, no installed package of a user and no locale counts, and nothing is written beside the interpreter.
PYTHON_OPTIONS = ["-I", "-B", "-X", "utf8"]

# The zipapp with bytecode for this machine's Python, if it was made here.
HOST_CORE = "host.pyz"

_FIRST = (3, 11)
_NAMES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"]
_HINT = "\n".join([
    "  hint: install Python 3.11 or later, or name one: the environment variable CROSSDOCK_PYTHON " +
    "(--repo_env=CROSSDOCK_PYTHON=/path/to/python3), or in MODULE.bazel",
    "        crossdock_core = use_extension(\"@crossdock//bazel:extensions.bzl\", \"crossdock_core\")",
    "        crossdock_core.python(interpreter = \"@python_3_12_host//:python\")   # or path = \"…\"",
])

def _problem(rctx, path):
    """Says what is wrong with a Python, or gives None."""
    result = rctx.execute([path, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], timeout = 60)
    if result.return_code != 0:
        return "it cannot be run: " + (result.stderr.strip() or "exit code %d" % result.return_code)
    parts = result.stdout.strip().split(".")
    known = len(parts) == 2 and all([part.isdigit() for part in parts])
    version = (int(parts[0]), int(parts[1])) if known else (0, 0)
    return None if version >= _FIRST else "it is Python %s" % result.stdout.strip()

def find_python(rctx, named, source):
    """Finds the host's Python.

    Args:
        rctx: repository_ctx or module_ctx.
        named: Path of the one to take; None to look in PATH.
        source: Who named it, for messages.

    Returns:
        Its path, a string; or fails.
    """
    if named:
        problem = _problem(rctx, named)
        if problem:
            fail("crossdock needs Python 3.11 or later on this machine\n  why: %s names %s, and %s\n%s" % (source, named, problem, _HINT))
        return named
    tried = []
    for name in _NAMES:
        path = rctx.which(name)
        if not path:
            continue
        problem = _problem(rctx, str(path))
        if not problem:
            return str(path)
        tried.append("%s: %s" % (path, problem))
    fail("crossdock needs Python 3.11 or later on this machine\n  why: there is none in PATH%s\n%s" % (
        "".join(["\n       " + text for text in tried]),
        _HINT,
    ))

def _host_python_repo_impl(rctx):
    named = rctx.getenv("CROSSDOCK_PYTHON")
    source = "the environment variable CROSSDOCK_PYTHON"
    if not named and rctx.attr.interpreter:
        named, source = str(rctx.path(rctx.attr.interpreter)), "crossdock_core.python(interpreter = …)"
    if not named and rctx.attr.path:
        named, source = rctx.attr.path, "crossdock_core.python(path = …)"
    if not named:
        rctx.getenv("PATH")  # so that another PATH is looked at anew
    if named and "/" not in named and "\\" not in named:
        named = str(rctx.which(named) or named)
    path = find_python(rctx, named, source)
    rctx.watch(path)
    rctx.file("path", path, executable = False)
    rctx.file("BUILD.bazel", "# The path of this machine's Python, for repository rules. No action may use it.\n", executable = False)

host_python_repo = repository_rule(
    implementation = _host_python_repo_impl,
    doc = "Finds the host's Python and writes its path to the file `path`.",
    attrs = {
        "interpreter": attr.label(doc = "The Python to take, as a file of another repository."),
        "path": attr.string(doc = "The Python to take, as a path or a name in PATH."),
    },
    configure = True,
)

def host_python(rctx):
    """Gives the path of the host's Python; looks for it on the first call.

    Args:
        rctx: repository_ctx or module_ctx.

    Returns:
        The path.
    """
    path = rctx.path(Label("@crossdock_host//:BUILD.bazel")).dirname.get_child("path")

    # What an extension gives is the same on any Python. Else MODULE.bazel.lock would hold for one machine only.
    return rctx.read(path, watch = "no" if hasattr(rctx, "modules") else "auto").strip()

def run_python(rctx, what, arguments, environment = {}, timeout = 600):
    """Runs the host's Python.

    Args:
        rctx: repository_ctx or module_ctx.
        what: What it is run for, for the message if it fails.
        arguments: Its arguments, without PYTHON_OPTIONS.
        environment: Further environment variables.
        timeout: Seconds it may take.

    Returns:
        What it printed; or fails with its message.
    """
    arguments = [host_python(rctx)] + PYTHON_OPTIONS + arguments
    result = rctx.execute(arguments, environment = environment, timeout = timeout, quiet = True)
    if result.return_code != 0:
        fail("%s failed (exit code %d)\n%s" % (what, result.return_code, result.stderr.strip() or result.stdout.strip()))
    return result.stdout

def run_core_command(rctx, what, arguments, environment = {}, timeout = 600):
    """Runs a command of crossdock on the host's Python.

    Args:
        rctx: repository_ctx or module_ctx.
        what: As in `run_python`.
        arguments: The command and its arguments.
        environment: As in `run_python`.
        timeout: As in `run_python`.

    Returns:
        What it printed; or fails with its message.
    """
    core = rctx.path(Label("@crossdock_core//:crossdock.pyz"))

    # From Bazel 8 on a label that is turned into a path is not watched: another crossdock has to be asked again.
    rctx.watch(core)
    compiled = core.dirname.get_child(HOST_CORE)
    core = compiled if compiled.exists else core
    return run_python(rctx, what, [core] + arguments, environment, timeout)
