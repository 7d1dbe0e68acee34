"""Console scripts of distributions, as programs that `bazel run` runs."""

load("@rules_python//python:py_binary.bzl", "py_binary")
load(":wheel.bzl", "WheelTreeInfo")

# The names of this file's own are kept apart from those of modules it may shadow.
_MAIN = """\
import sys
from importlib.metadata import distribution

_PACKAGE, _SCRIPT = {package}, {script}


def _entry():
    scripts = {{e.name: e for e in distribution(_PACKAGE).entry_points if e.group == "console_scripts"}}
    if _SCRIPT not in scripts:
        sys.exit(f"error: {{_PACKAGE}} has no console script {{_SCRIPT}}; it has {{', '.join(sorted(scripts)) or 'none'}}")
    return scripts[_SCRIPT].load()


if __name__ == "__main__":
    sys.argv[0] = _SCRIPT
    sys.exit(_entry()())
"""

def _main_impl(ctx):
    known = ctx.attr.package[WheelTreeInfo].scripts if WheelTreeInfo in ctx.attr.package else None
    if known != None and ctx.attr.script not in known:
        fail("%s: %s has no console script %r; it has %s" %
             (ctx.label, ctx.attr.distribution, ctx.attr.script, ", ".join(known) or "none"))
    main = _MAIN.format(package = repr(ctx.attr.distribution), script = repr(ctx.attr.script))
    ctx.actions.write(ctx.outputs.out, main)
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

_console_script_main = rule(
    implementation = _main_impl,
    doc = "Writes the program that runs a console script.",
    attrs = {
        "distribution": attr.string(mandatory = True, doc = "Name of the distribution."),
        "out": attr.output(mandatory = True, doc = "The program."),
        "package": attr.label(mandatory = True, doc = "The distribution."),
        "script": attr.string(mandatory = True, doc = "Name of the script."),
    },
)

def console_script(name, package, distribution, script, **kwargs):
    """Makes a program of a console script.

    Args:
        name: The program's name.
        package: The distribution's target.
        distribution: Its name.
        script: The script's name.
        **kwargs: Passed to `py_binary`.
    """
    main = "%s_console_script.py" % name
    _console_script_main(
        name = name + "_main",
        out = main,
        distribution = distribution,
        package = package,
        script = script,
        tags = ["manual"],
        visibility = ["//visibility:private"],
    )
    py_binary(
        name = name,
        srcs = [main],
        main = main,
        deps = [package],
        **kwargs
    )
