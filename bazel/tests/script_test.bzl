"""Tests that read what was built, by a few lines of Python."""

load("//bazel/private:core_tool.bzl", "CoreToolInfo")

def script_test(ctx, script, files):
    """Makes a test of a script, on the Python that crossdock's own tests run on.

    Args:
        ctx: context of a test rule with `TEST_ATTRS`.
        script: str: the script; it fails by its exit code.
        files: list of File: its arguments.

    Returns:
        A `DefaultInfo`.
    """
    tool = ctx.attr._tool[CoreToolInfo]
    python = tool.command[0]
    text = ctx.actions.declare_file(ctx.label.name + ".py")
    ctx.actions.write(text, script)
    words = [python if type(python) == "string" else python.short_path, "-I"] + [file.short_path for file in [text] + files]
    executable = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(executable, "#!/bin/sh\nexec %s\n" % " ".join(["'%s'" % word for word in words]), is_executable = True)
    return DefaultInfo(executable = executable, runfiles = ctx.runfiles([text] + files, transitive_files = tool.files))
