"""What is in the layer of an application's own files, in truth."""

load("//bazel/private:app_layer_aspect.bzl", "AppLayerInfo", "app_layer_aspect")
load("//bazel/private:launcher.bzl", "TEST_ATTRS", "TEST_EXEC_GROUPS")
load("//bazel/private:providers.bzl", "ImageInfo")
load("//bazel/tests:script_test.bzl", "script_test")

_READ = """\
import json, sys, tarfile
layer, expected = sys.argv[1:]
with tarfile.open(layer) as file:
    found = {m.name.removeprefix("app/"): file.extractfile(m).read().decode() for m in file if m.isfile() and m.name.startswith("app/")}
wanted = json.load(open(expected))
for name in [name for name in found if name.endswith(".pth")]:
    found["imports"] = found.pop(name)
if sorted(found) != sorted(wanted):
    sys.exit(f"there is {sorted(found)}, and not {sorted(wanted)}")
for name, text in wanted.items():
    if text and found[name].replace("/app/runfiles/", "").split() != text.split():
        sys.exit(f"{name} has {found[name]!r}, and not {text!r}")
"""

def _layer_test_impl(ctx):
    expected = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(expected, json.encode(ctx.attr.files))
    target = ctx.attr.target
    layer = target[ImageInfo].layers[-1] if ImageInfo in target else target[AppLayerInfo].layer
    return [script_test(ctx, _READ, [layer.blob, expected])]

layer_test = rule(
    implementation = _layer_test_impl,
    test = True,
    doc = "Compares the files of a layer with what is expected.",
    exec_groups = TEST_EXEC_GROUPS,
    attrs = TEST_ATTRS | {
        "files": attr.string_dict(doc = "What each has in it, below /app; anything, if that is empty. `imports` are the folders to import from."),
        "target": attr.label(aspects = [app_layer_aspect], doc = "An application, or an image of a program."),
    },
)
