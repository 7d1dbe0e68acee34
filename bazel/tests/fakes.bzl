"""Wheels, bases and programs that are enough for rules to be analysed; nothing is built of them."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load("//bazel/private:providers.bzl", "BaseInfo", "LayerInfo")
load("//bazel/private:wheel.bzl", "wheel_file")

def _file(ctx, name):
    file = ctx.actions.declare_file("%s/%s" % (ctx.label.name, name))
    ctx.actions.write(file, "")
    return file

def _layer(ctx, name):
    return LayerInfo(blob = _file(ctx, name + ".tar.gz"), metadata = _file(ctx, name + ".json"))

def _fake_file_impl(ctx):
    file = ctx.actions.declare_file(ctx.attr.filename)
    ctx.actions.write(file, "")
    return [DefaultInfo(files = depset([file]))]

fake_file = rule(
    implementation = _fake_file_impl,
    doc = "An empty file.",
    attrs = {"filename": attr.string(mandatory = True, doc = "What it is called.")},
)

def fake_wheel(name, filename, file_size = 1000):
    """What a repository of a wheel is, made by the hub's own rules of a file that is empty.

    Args:
        name: Name of the target; one to a package, as one repository has one wheel.
        filename: The wheel's file name.
        file_size: Its size.
    """
    fake_file(name = name + "_file", filename = filename)
    wheel_file(
        name = name,
        src = name + "_file",
        distribution = filename.split("-")[0],
        file_size = str(file_size),
        pure = filename.endswith("-none-any.whl"),
        sha256 = filename,
        tags = ["manual"],
        version = filename.split("-")[1],
        visibility = ["//bazel/tests:__pkg__"],
    )

def _fake_base_impl(ctx):
    return [BaseInfo(layers = [_layer(ctx, "base"), _layer(ctx, "environment")], metadata = _file(ctx, "base.json"), platform = ctx.attr.platform, problem = None)]

fake_base = rule(
    implementation = _fake_base_impl,
    doc = "What a label of a base is.",
    attrs = {"platform": attr.string(mandatory = True, doc = "Its platform.")},
)

def _fake_program_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, ctx.attr.content, is_executable = True)
    return [DefaultInfo(executable = executable, runfiles = ctx.runfiles(ctx.files.data).merge_all([data[DefaultInfo].default_runfiles for data in ctx.attr.data]))]

fake_program = rule(
    implementation = _fake_program_impl,
    executable = True,
    doc = "A program of another language, which follows the platform.",
    attrs = {
        "content": attr.string(doc = "What is in it."),
        "data": attr.label_list(allow_files = True, doc = "What it needs."),
    },
)

def _foreign_library_impl(ctx):
    code = ctx.actions.declare_file(ctx.label.name + "_code.py")
    ctx.actions.write(code, "")
    inner = [dependency[PyInfo] for dependency in ctx.attr.deps]
    return [
        DefaultInfo(files = depset([code])),
        PyInfo(
            imports = depset(transitive = [info.imports for info in inner]),
            transitive_sources = depset([code], transitive = [info.transitive_sources for info in inner]),
        ),
    ]

foreign_library = rule(
    implementation = _foreign_library_impl,
    doc = "A library of somebody's rule, which is known by its PyInfo alone, as rules for protocols make it.",
    attrs = {"deps": attr.label_list(providers = [PyInfo], doc = "What it needs.")},
)
