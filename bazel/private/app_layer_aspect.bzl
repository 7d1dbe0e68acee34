"""The layer of a Python application's own files, declared beside the application.

Its bytes hang on the files and the Python version alone. It is declared where the files are, in the configuration of the
platform, and not in a canonical one: which files they are may hang on the platform, by `select()` or because they are
generated or compiled, and a configuration without a platform could not even be analysed then. As the declaring target has
the same label for all platforms and images, all images of a platform share one action; and with path mapping
(`--experimental_output_paths=strip`) the actions of all platforms are one, that a cache or Bazel itself runs once.
"""

load(":app.bzl", "add_files", "app_files")
load(":app_aspect.bzl", "app_aspect")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":providers.bzl", "LayerInfo", "PyAppInfo")
load(":target.bzl", "TargetInfo")

AppLayerInfo = provider(
    doc = "The layer of an application's own files.",
    fields = {"layer": "LayerInfo: the layer."},
)

def _app_layer_aspect_impl(target, ctx):
    if AppLayerInfo in target or target[PyAppInfo].own_wheel:
        return []
    app = app_files(target)
    stem = ctx.label.name + ".app_layer"
    layer = LayerInfo(
        blob = ctx.actions.declare_file(stem + ".tar.gz"),
        metadata = ctx.actions.declare_file(stem + ".json"),
    )
    args = ctx.actions.args()
    args.add("--python", ctx.attr._target[TargetInfo].python_spelling)
    add_files(args, app, modes = True)
    args.add("--out", layer.blob)
    args.add("--metadata", layer.metadata)
    run_core(
        ctx,
        "app-layer",
        args,
        inputs = app.sources,
        outputs = [layer.blob, layer.metadata],
        mnemonic = "CrossdockAppLayer",
        progress_message = "Writing the layer of first-party files of %{label}",
    )
    return [AppLayerInfo(layer = layer)]

app_layer_aspect = aspect(
    implementation = _app_layer_aspect_impl,
    attrs = CORE_ATTRS | {
        "_target": attr.label(default = Label("//bazel/private:target"), providers = [TargetInfo]),
    },
    doc = "Declares the layer of a Python application's own files.",
    requires = [app_aspect],
)
