"""Small shell programs that start the core with what was built, for `bazel run` and `bazel test`."""

load("@bazel_skylib//lib:shell.bzl", "shell")
load(":core_tool.bzl", "CoreToolInfo")

_LAUNCHER = {
    "_launcher": attr.label(default = Label("//bazel/private:launcher.sh.tpl"), allow_single_file = True),
}

# Of rules that `bazel run` starts.
RUN_ATTRS = _LAUNCHER | {
    "_tool": attr.label(default = Label("//bazel/private:host_core_tool"), providers = [CoreToolInfo]),
}

# Of tests, which run where their execution group does. It asks nothing of that machine: left to itself, Bazel 9 looks for
# one of the target's platform, which for these tests does not matter.
TEST_EXEC_GROUPS = {"test": exec_group()}
TEST_ATTRS = _LAUNCHER | {
    "_tool": attr.label(default = Label("//bazel/private:core_tool"), cfg = config.exec("test"), providers = [CoreToolInfo]),
}

def _spelled(part):
    return shell.quote(part if type(part) == "string" else part.short_path)

def launcher(ctx, runs, files, data = []):
    """Writes the program of a target.

    Files are put beside it under names of their own: those of several platforms may have one path in runfiles.

    Args:
        ctx: context of a rule with `RUN_ATTRS`, or with `TEST_ATTRS` and `TEST_EXEC_GROUPS`.
        runs: list of pairs: a command of the core, and a list of its arguments, str or File.
        files: list of File: all that the arguments name.
        data: list of File: what has to be there in its own place.

    Returns:
        A `DefaultInfo`.
    """
    tool = ctx.attr._tool[CoreToolInfo]
    paths = {}
    for file in files:
        if file not in paths:
            stem = "%s/%s.files/%d" % (ctx.label.package, ctx.label.name, len(paths))
            paths[file] = "%s/%s" % (stem.removeprefix("/"), file.basename)
    start = " ".join([_spelled(part) for part in tool.command])
    parameter_files = []
    lines = []
    for number, (command, arguments) in enumerate(runs):
        parameters = ctx.actions.declare_file("%s.%d.params" % (ctx.label.name, number))
        ctx.actions.write(parameters, "".join([
            (argument if type(argument) == "string" else paths[argument]) + "\n"
            for argument in arguments
        ]))
        parameter_files.append(parameters)
        lines.append("%s %s %s \"$@\"" % (start, command, shell.quote("--params=" + parameters.short_path)))
    if len(lines) == 1:
        commands = "exec " + lines[0]
    else:
        # One report cannot stand for several runs: Bazel makes its own from what they print.
        commands = "\n".join(["unset XML_OUTPUT_FILE", "status=0"] + [line + " || status=$?" for line in lines] + ["exit $status"])
    executable = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.expand_template(
        template = ctx.file._launcher,
        output = executable,
        substitutions = {
            "%{commands}": commands,
            "%{main}": shell.quote(ctx.workspace_name),
            "%{marker}": shell.quote(parameter_files[0].short_path),
        },
        is_executable = True,
    )
    return DefaultInfo(
        executable = executable,
        files = depset([executable]),
        runfiles = ctx.runfiles(
            parameter_files + data,
            symlinks = {path: file for file, path in paths.items()},
            transitive_files = tool.files,
        ),
    )

def content_arguments(contents):
    """Spells the files of an image or index as arguments of a launcher.

    Args:
        contents: what `image_contents` gives.

    Returns:
        A list of str and File.
    """
    arguments = []
    for image in contents.images:
        arguments.extend(["--image", image])
    if contents.index:
        arguments.extend(["--index", contents.index])
    for blob in contents.blobs:
        arguments.extend(["--blob", blob])
    return arguments
