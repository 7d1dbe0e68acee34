"""A wheel as a file, with what is made of it once for all platforms: its layer, and a tree to import it from."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":providers.bzl", "LayerInfo", "WheelInfo")

WheelTreeInfo = provider(
    doc = "A wheel as Python on this machine imports it.",
    fields = {
        "import_path": "str: the folder to import from, relative to the runfiles' root, as in PyInfo.",
        "scripts": "list[str] or None: its console scripts, if they are known.",
        "tree": "File: the folder.",
    },
)

def import_path(short_path, workspace_name):
    """Gives the path of a file relative to the runfiles' root.

    Args:
        short_path: Its `short_path`.
        workspace_name: What the main repository is called in runfiles.

    Returns:
        The path.
    """
    return short_path[3:] if short_path.startswith("../") else workspace_name + "/" + short_path

def _wheel_file_impl(ctx):
    python = ctx.attr._python_version[BuildSettingInfo].value
    if ctx.attr._freethreaded[BuildSettingInfo].value:
        python += "t"
    layer = _layer(ctx, python)
    tree = _tree(ctx, python)
    return [
        DefaultInfo(files = depset([ctx.file.src])),
        OutputGroupInfo(layer = depset([layer.blob, layer.metadata]), tree = depset([tree])),
        WheelInfo(
            file = ctx.file.src,
            filename = ctx.file.src.basename,
            layer = layer,
            name = ctx.attr.distribution,
            pure = ctx.attr.pure,
            sha256 = ctx.attr.sha256,
            size = int(ctx.attr.file_size),
            version = ctx.attr.version,
        ),
        WheelTreeInfo(
            import_path = import_path(tree.short_path, ctx.workspace_name),
            scripts = ctx.attr.scripts if ctx.attr.scripts_known else None,
            tree = tree,
        ),
    ]

def _layer(ctx, python):
    layer = LayerInfo(
        blob = ctx.actions.declare_file(ctx.label.name + ".layer.tar.gz"),
        metadata = ctx.actions.declare_file(ctx.label.name + ".layer.json"),
    )
    args = ctx.actions.args()
    args.add("--python", python)
    args.add("--wheel", ctx.file.src)
    args.add("--distribution", "%s==%s" % (ctx.attr.distribution, ctx.attr.version))
    args.add("--out", layer.blob)
    args.add("--metadata", layer.metadata)
    run_core(
        ctx,
        command = "layer",
        arguments = args,
        inputs = [ctx.file.src],
        outputs = [layer.blob, layer.metadata],
        mnemonic = "CrossdockWheelLayer",
        progress_message = "Making a layer of %{input}",
    )
    return layer

def _tree(ctx, python):
    tree = ctx.actions.declare_directory(ctx.attr.distribution + ".whl.d")
    args = ctx.actions.args()
    args.add("--wheel", ctx.file.src)
    args.add("--python", python)
    args.add_all([tree], before_each = "--out", expand_directories = False)
    run_core(
        ctx,
        command = "unpack",
        arguments = args,
        inputs = [ctx.file.src],
        outputs = [tree],
        mnemonic = "CrossdockWheelUnpack",
        progress_message = "Unpacking %{input}",
    )
    return tree

wheel_file = rule(
    implementation = _wheel_file_impl,
    doc = "A wheel. Depend on it through `canonical_transition`, so that its actions are run once for all platforms.",
    attrs = {
        "distribution": attr.string(mandatory = True, doc = "Its name, normalised (PEP 503)."),
        "file_size": attr.string(mandatory = True, doc = "Bytes of the file: some have more than an integer attribute holds."),
        "pure": attr.bool(doc = "Whether it is the same for every platform."),
        "scripts": attr.string_list(doc = "Its console scripts."),
        "scripts_known": attr.bool(doc = "Whether `scripts` is complete."),
        "sha256": attr.string(mandatory = True, doc = "SHA-256 of the file, in hex."),
        "src": attr.label(mandatory = True, allow_single_file = [".whl"], doc = "The file, with its real name."),
        "version": attr.string(mandatory = True, doc = "Its version."),
        "_freethreaded": attr.label(default = "//bazel/config:freethreaded"),
        "_python_version": attr.label(default = "//bazel/config:python_version"),
    } | CORE_ATTRS,
    provides = [WheelInfo, WheelTreeInfo],
)
