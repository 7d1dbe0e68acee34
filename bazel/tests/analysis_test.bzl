"""What rules are made of and what they refuse, without building anything."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bazel/private:app_aspect.bzl", "app_aspect", "is_unpacked_wheel")
load("//bazel/private:artifact.bzl", "ArtifactInfo")
load("//bazel/private:providers.bzl", "ImageInfo", "IndexInfo", "PyAppInfo")

def _actions(env, mnemonic):
    return [action for action in analysistest.target_actions(env) if action.mnemonic == mnemonic]

def _paths(files):
    return [file.short_path for file in files.to_list()]

def _app_test_impl(ctx):
    env = analysistest.begin(ctx)
    app = analysistest.target_under_test(env)[PyAppInfo]
    asserts.equals(env, ctx.attr.wheels, sorted([wheel.filename for wheel in app.wheels.to_list()]))
    asserts.equals(env, ctx.attr.sources, sorted([file.basename for file in app.sources.to_list()]))
    asserts.equals(env, ctx.attr.main, app.main.basename)
    asserts.equals(env, ctx.attr.programs, [file.basename for file in app.programs.to_list()])
    imports = [path for path in app.imports.to_list() if not is_unpacked_wheel(path)]
    asserts.equals(env, sorted(ctx.attr.imports), sorted([path.partition("/")[2] for path in imports]))
    return analysistest.end(env)

app_test = analysistest.make(
    _app_test_impl,
    extra_target_under_test_aspects = [app_aspect],
    attrs = {
        "imports": attr.string_list(),
        "main": attr.string(),
        "programs": attr.string_list(),
        "sources": attr.string_list(),
        "wheels": attr.string_list(),
    },
)

def _image_test_impl(ctx):
    env = analysistest.begin(ctx)
    image = analysistest.target_under_test(env)[ImageInfo]
    asserts.equals(env, ctx.attr.platform, image.platform)
    asserts.equals(env, ctx.attr.layers, ["/".join(layer.metadata.short_path.split("/")[-2:]) for layer in image.layers])
    actions = _actions(env, "CrossdockImage")
    asserts.equals(env, 1, len(actions))
    for path in _paths(actions[0].inputs):
        asserts.false(env, path.endswith(".tar.gz") or path.endswith(".whl"), "an image is put together without " + path)
    for mnemonic, number in ctx.attr.actions.items():
        asserts.equals(env, int(number), len(_actions(env, mnemonic)), mnemonic)
    for action in analysistest.target_actions(env):
        for path in _paths(action.inputs):
            asserts.false(env, path.endswith(".whl.d"), "%s waits for %s" % (action.mnemonic, path))
    return analysistest.end(env)

image_test = analysistest.make(
    _image_test_impl,
    attrs = {
        "actions": attr.string_dict(),
        "layers": attr.string_list(),
        "platform": attr.string(),
    },
)

def _index_test_impl(ctx):
    env = analysistest.begin(ctx)
    index = analysistest.target_under_test(env)[IndexInfo]
    asserts.equals(env, ["linux/amd64", "linux/arm64"], [image.platform for image in index.images])
    first, second = [[layer.metadata for layer in image.layers] for image in index.images]
    asserts.equals(env, ctx.attr.shared, sorted([
        "/".join(file.short_path.split("/")[-2:])
        for file in first
        if file in second
    ]), "layers that both have are one file")
    asserts.equals(env, [ctx.attr.own] * 2, [layers[-1].basename for layers in (first, second)])
    return analysistest.end(env)

index_test = analysistest.make(_index_test_impl, attrs = {"own": attr.string(), "shared": attr.string_list()})

def _metadata_test_impl(ctx):
    env = analysistest.begin(ctx)
    writes = _actions(env, "FileWrite")
    asserts.equals(env, 1, len(writes))
    here = str(Label("//bazel/tests:all")).removeprefix("@@").removesuffix(":all")
    expected = ctx.attr.expected.replace("//bazel/tests", here if here.startswith("//") else "@@" + here)
    asserts.equals(env, json.decode(expected), json.decode(writes[0].content))
    return analysistest.end(env)

metadata_test = analysistest.make(_metadata_test_impl, attrs = {"expected": attr.string()})

def _launcher_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    parameters = [action.content.splitlines() for action in _actions(env, "FileWrite")]
    asserts.equals(env, 1, len(parameters))
    for line in ctx.attr.lines:
        asserts.true(env, line in parameters[0], "%s: %s" % (line, parameters[0]))
    files = {entry.path: entry.target_file for entry in target[DefaultInfo].default_runfiles.symlinks.to_list()}
    named = [parameters[0][number + 1] for number, line in enumerate(parameters[0]) if line in ("--blob", "--image", "--index")]
    asserts.equals(env, sorted(files), sorted(named))
    asserts.equals(env, ctx.attr.files, len({file: None for file in files.values()}), "files of all platforms are there")
    script = [action for action in analysistest.target_actions(env) if action.mnemonic == "TemplateExpand"][0]
    asserts.true(env, " %s '--params=" % ctx.attr.command in script.substitutions["%{commands}"], script.substitutions["%{commands}"])
    return analysistest.end(env)

launcher_test = analysistest.make(
    _launcher_test_impl,
    attrs = {"command": attr.string(), "files": attr.int(), "lines": attr.string_list()},
)

def _artifact_test_impl(ctx):
    env = analysistest.begin(ctx)
    artifact = analysistest.target_under_test(env)[ArtifactInfo]
    asserts.equals(env, ctx.attr.file, artifact.file.basename)
    asserts.equals(env, ctx.attr.target, artifact.target)
    action = _actions(env, ctx.attr.mnemonic)[0]
    wheels = [path for path in _paths(action.inputs) if path.endswith(".whl")]
    asserts.equals(env, ctx.attr.wheels, sorted([path.split("/")[-1] for path in wheels]))
    return analysistest.end(env)

artifact_test = analysistest.make(
    _artifact_test_impl,
    attrs = {
        "file": attr.string(),
        "mnemonic": attr.string(),
        "target": attr.string(),
        "wheels": attr.string_list(),
    },
)

def _entry_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = analysistest.target_actions(env)
    words = " ".join([word for action in actions if action.mnemonic in ("CrossdockImage", "CrossdockPex") for word in action.argv])
    for argument in ctx.attr.arguments:
        asserts.true(env, " %s " % argument in words, words)
    settings = [json.decode(action.content) for action in actions if action.mnemonic == "FileWrite" and action.content.startswith("{")]
    if ctx.attr.entrypoint:
        asserts.equals(env, [ctx.attr.entrypoint], [setting["entrypoint"] for setting in settings if "entrypoint" in setting])
    return analysistest.end(env)

entry_test = analysistest.make(_entry_test_impl, attrs = {"arguments": attr.string_list(), "entrypoint": attr.string_list()})

def _failure_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.words)
    return analysistest.end(env)

failure_test = analysistest.make(_failure_test_impl, expect_failure = True, attrs = {"words": attr.string(mandatory = True)})

def refused(name, make, words, **kwargs):
    """Makes a target that cannot be made, and the test that it is told why.

    Args:
        name: Name of the target.
        make: Rule or macro that makes it.
        words: What the error has to say.
        **kwargs: What the target is given.
    """
    make(name = name, tags = ["manual"], **kwargs)
    failure_test(name = name + "_fails_test", target_under_test = ":" + name, words = words)

def _targets_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.equals(env, ctx.attr.expected, ctx.attr.found)
    return analysistest.end(env)

targets_test = analysistest.make(
    _targets_test_impl,
    attrs = {"expected": attr.string_list(), "found": attr.string_list()},
)

def targets_of(name, start):
    """Lists targets of a package.

    Args:
        name: str: the target that is left out.
        start: str: what their names begin with.

    Returns:
        A list of strings, each a name and a kind of rule.
    """
    return sorted([
        "%s: %s" % (target, rule["kind"])
        for target, rule in native.existing_rules().items()
        if target.startswith(start) and target != name
    ])
