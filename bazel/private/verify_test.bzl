"""The test that proves what was built, in place of starting it."""

load(":artifact.bzl", "ArtifactInfo")
load(":exceptions.bzl", "EXCEPTION_ATTRS", "encoded_exceptions", "exceptions_file", "has_dates")
load(":image_contents.bzl", "content_files", "image_contents")
load(":launcher.bzl", "TEST_ATTRS", "TEST_EXEC_GROUPS", "launcher")
load(":naming.bzl", "platform_name")
load(":providers.bzl", "ImageInfo", "IndexInfo")

def _expected(ctx):
    arguments = []
    for platform in ctx.attr.platforms:
        if not platform_name(platform):
            fail("%s: platforms names %r, which is no platform: take linux/amd64, linux/arm64, …" % (ctx.label, platform))
        arguments.extend(["--expect-platform", platform])
    for package in ctx.attr.packages:
        arguments.extend(["--package", package])
    for pattern in ctx.attr.allow:
        arguments.extend(["--allow", pattern])
    return arguments

def _spelled(label):
    """A label as people write it: without the main repository's name."""
    text = str(label)
    return text[2:] if text.startswith("@@//") else text

def _image_run(target, expected):
    contents = image_contents(target)
    arguments = []
    for image in contents.images:
        arguments.extend(["--image", image])
    if contents.index_blob:
        arguments.extend(["--index", contents.index_blob])
    for blob in contents.blobs:
        arguments.extend(["--blob", blob])
    return ("verify", arguments + ["--subject", _spelled(target.label)] + expected), content_files(contents)

def _excepted(files):
    return [argument for file in files for argument in ("--exceptions", file)]

def _cross_compilation_test_impl(ctx):
    expected = _expected(ctx)
    exceptions = exceptions_file(ctx)
    runs, files = [], list(exceptions)
    for target in ctx.attr.images:
        run, contents = _image_run(target, _excepted(exceptions) + expected)
        runs.append(run)
        files.extend(contents)
    arguments = _excepted(exceptions)
    for target in ctx.attr.artifacts:
        artifact = target[ArtifactInfo]
        arguments.extend(["--artifact", artifact.file, "--target", artifact.target] + _excepted(artifact.exceptions))
        files.extend([artifact.file] + artifact.exceptions)
    if ctx.attr.artifacts:
        runs.append(("verify", arguments + expected))
    if not runs:
        fail("%s tests nothing: name images, PEX files or zips in images and artifacts" % ctx.label)
    return [launcher(ctx, runs, files)]

_cross_compilation_test = rule(
    implementation = _cross_compilation_test_impl,
    test = True,
    doc = "Proves that images, PEX files and zips are right for their platforms.",
    exec_groups = TEST_EXEC_GROUPS,
    attrs = TEST_ATTRS | EXCEPTION_ATTRS | {
        "allow": attr.string_list(doc = "Findings that are accepted, as `--allow` of `crossdock verify` takes them."),
        "artifacts": attr.label_list(providers = [ArtifactInfo], doc = "py_pex_binary and py_lambda_zip targets."),
        "images": attr.label_list(providers = [[ImageInfo], [IndexInfo]], doc = "Images and indexes."),
        "packages": attr.string_list(doc = "Distributions that have to be there with compiled files, for every platform. A package that brings none fails."),
        "platforms": attr.string_list(doc = "Platforms that each image and all artifacts together have to be for, no more and no less."),
    },
)

def cross_compilation_test(name, exceptions = [], tags = [], **kwargs):
    """Proves that images, PEX files and zips are right for their platforms, without starting any of it.

    Every program and library in them is read: its machine, C library, what it needs of the system, the Python it was
    built for; configurations, indexes and interpreters as well. It needs no engine and no network, runs in the sandbox
    and anywhere, and is part of `bazel test //...`.

        cross_compilation_test(
            name = "cross_compilation_test",
            images = ["//demo/hello_fastapi:hello_fastapi_image"],
            packages = ["pydantic-core"],
        )

    Exceptions to the proof, these and those of what it proves, are judged by the day the test runs on.

    Args:
        name: Name of the test.
        exceptions: Exceptions to the proof beside those of the targets: see container_image. A test with one that ends is
            run each time (Bazel's tag `external`), since its result depends on the day.
        tags: Tags.
        **kwargs: `images`, `artifacts`, `packages`, `platforms`, `allow`, and what all tests take.
    """
    _cross_compilation_test(
        name = name,
        exceptions = encoded_exceptions(exceptions, "cross_compilation_test(name = %r) in //%s" % (name, native.package_name())),
        tags = tags + (["external"] if has_dates(exceptions) else []),
        **kwargs
    )
