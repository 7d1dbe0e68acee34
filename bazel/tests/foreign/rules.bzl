"""Rules of others, as far as crossdock's see them: attributes, providers, files. Nothing here is run."""

load("@bazel_skylib//lib:paths.bzl", "paths")
load("@rules_python//python:py_info.bzl", "PyInfo")

# What rules_py's rules give from their version 2 on, in place of rules_python's.
_OwnPyInfo = provider(doc = "A PyInfo that crossdock does not know.", fields = {"imports": "depset[str]", "sources": "depset[File]"})

def _gathered(ctx, attributes):
    below = []
    for attribute in attributes:
        value = getattr(ctx.attr, attribute, None)
        below += value.keys() if type(value) == "dict" else value if type(value) == "list" else [value] if value else []
    return below

def _py_impl(ctx):
    below = _gathered(ctx, ["deps", "resolutions", "venv"])
    here = [paths.normalize("/".join(["_main", ctx.label.package, folder])) for folder in getattr(ctx.attr, "imports", [])]
    imports = depset(here, transitive = [dep[info].imports for dep in below for info in (PyInfo, _OwnPyInfo) if info in dep])
    sources = depset(ctx.files.srcs, transitive = (
        [dep[PyInfo].transitive_sources for dep in below if PyInfo in dep] +
        [dep[_OwnPyInfo].sources for dep in below if _OwnPyInfo in dep]
    ))
    runfiles = ctx.runfiles(ctx.files.srcs + ctx.files.data).merge_all(
        [dep[DefaultInfo].default_runfiles for dep in below + ctx.attr.data],
    )
    info = _OwnPyInfo(imports = imports, sources = sources) if ctx.attr.own else PyInfo(imports = imports, transitive_sources = sources)
    if not hasattr(ctx.attr, "main"):
        return [DefaultInfo(files = depset(ctx.files.srcs), runfiles = runfiles), info]
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, "", is_executable = True)
    interpreter = ctx.actions.declare_file(ctx.label.name + ".interpreter")
    ctx.actions.write(interpreter, "")
    return [DefaultInfo(executable = executable, runfiles = runfiles.merge(ctx.runfiles([interpreter]))), info]

_ATTRS = {
    "data": attr.label_list(allow_files = True),
    "own": attr.bool(doc = "Whether it gives no PyInfo of rules_python."),
    "srcs": attr.label_list(allow_files = True),
}

py_library = rule(
    implementation = _py_impl,
    doc = "A library as rules_py has it.",
    attrs = _ATTRS | {
        "deps": attr.label_list(),
        "imports": attr.string_list(),
        "resolutions": attr.label_keyed_string_dict(),
        "virtual_deps": attr.string_list(),
    },
)

py_venv_exec = rule(
    implementation = _py_impl,
    executable = True,
    doc = "A binary as rules_py has it: all but its main file is behind `venv`.",
    attrs = _ATTRS | {
        "main": attr.label(allow_single_file = True),
        "venv": attr.label(),
    },
)

py_binary = rule(
    implementation = _py_impl,
    executable = True,
    doc = "A binary as newer versions of rules_python have it.",
    attrs = _ATTRS | {
        "deps": attr.label_list(),
        "imports": attr.string_list(),
        "main": attr.label(allow_single_file = True),
        "main_module": attr.string(),
    },
)

def _package_impl(ctx):
    folder = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(outputs = [folder], command = "touch $1/package.py", arguments = [folder.path])
    return [DefaultInfo(files = depset([folder]))]

unpacked_package = rule(
    implementation = _package_impl,
    doc = "A package of another hub, which tells nobody how it is imported.",
)

def _generated_impl(ctx):
    outputs = []
    for source in ctx.files.srcs:
        output = ctx.actions.declare_file(source.basename.rpartition(".")[0] + "_generated.py")
        ctx.actions.write(output, "FROM = %r\n" % source.basename)
        outputs.append(output)
    table = ctx.actions.declare_file(ctx.label.name + ".table")
    ctx.actions.write(table, "table\n")
    below = _gathered(ctx, ["deps", "runtime"])
    return [
        DefaultInfo(
            files = depset(outputs),
            runfiles = ctx.runfiles([table] + outputs).merge_all([dep[DefaultInfo].default_runfiles for dep in below]),
        ),
        PyInfo(
            imports = depset(transitive = [dep[PyInfo].imports for dep in below if PyInfo in dep]),
            transitive_sources = depset(outputs, transitive = [dep[PyInfo].transitive_sources for dep in below if PyInfo in dep]),
        ),
    ]

generated_library = rule(
    implementation = _generated_impl,
    doc = "Code that is generated from what `srcs` names, with data, as rules for protocols make it.",
    attrs = {
        "deps": attr.label_list(),
        "runtime": attr.label(doc = "Packages that the code needs, by an attribute of its own."),
        "srcs": attr.label_list(allow_files = True),
    },
)

def _linked_impl(ctx):
    one = ctx.actions.declare_file(ctx.label.name + ".one")
    ctx.actions.write(one, "one\n")
    return [DefaultInfo(runfiles = ctx.runfiles(
        root_symlinks = {"elsewhere/two.txt": one},
        symlinks = {"linked/one.txt": one},
    ))]

linked_data = rule(
    implementation = _linked_impl,
    doc = "Data that is elsewhere in runfiles than its path says.",
)
