"""pex's own code, as it is in every PEX file: written once for all of them."""

load(":core.bzl", "CORE_ATTRS", "run_core")
load(":transitions.bzl", "ALLOWLIST", "canonical_transition")

INHERIT_PATHS = ["false", "fallback", "prefer"]

_SYSTEMS = ["darwin", "linux", "windows"]

PexRuntimeInfo = provider(
    doc = "pex's own code for a system.",
    fields = {
        "archive": "File: its files.",
        "metadata": "File: JSON about it.",
    },
)

def _pex_runtime_impl(ctx):
    archive = ctx.actions.declare_file(ctx.label.name + ".zip")
    metadata = ctx.actions.declare_file(ctx.label.name + ".json")
    args = ctx.actions.args()
    args.add("--pex-wheel", ctx.file.pex)
    args.add("--os", ctx.attr.os)
    if ctx.attr.inherit_path != "false":
        args.add("--inherit-path", ctx.attr.inherit_path)
    args.add("--out", archive)
    args.add("--metadata", metadata)
    run_core(
        ctx,
        "pex-runtime",
        args,
        inputs = depset([ctx.file.pex]),
        outputs = [archive, metadata],
        mnemonic = "CrossdockPexRuntime",
        progress_message = "Writing what PEX files start by",
    )
    return [DefaultInfo(files = depset([archive, metadata])), PexRuntimeInfo(archive = archive, metadata = metadata)]

pex_runtime = rule(
    implementation = _pex_runtime_impl,
    cfg = canonical_transition,
    doc = "What PEX files with the same options start by.",
    attrs = ALLOWLIST | CORE_ATTRS | {
        "inherit_path": attr.string(values = INHERIT_PATHS, default = "false", doc = "As in py_pex_binary."),
        "os": attr.string(values = _SYSTEMS, mandatory = True, doc = "The system they are for."),
        "pex": attr.label(default = Label("@crossdock_pex//:pex.whl"), allow_single_file = [".whl"], doc = "pex itself."),
    },
)

def pex_runtimes(name):
    """Makes `<name>_<inherit_path>` for each way to inherit a path, for the platform it is built for.

    Args:
        name: Start of the targets' names.
    """
    for inherit_path in INHERIT_PATHS:
        for os in _SYSTEMS:
            pex_runtime(
                name = "%s_%s_%s" % (name, inherit_path, os),
                inherit_path = inherit_path,
                os = os,
                tags = ["manual"],
            )
        native.alias(
            name = "%s_%s" % (name, inherit_path),
            actual = select({
                "@platforms//os:osx": "%s_%s_darwin" % (name, inherit_path),
                "@platforms//os:windows": "%s_%s_windows" % (name, inherit_path),
                "//conditions:default": "%s_%s_linux" % (name, inherit_path),
            }),
            tags = ["manual"],
            visibility = ["//visibility:public"],
        )
