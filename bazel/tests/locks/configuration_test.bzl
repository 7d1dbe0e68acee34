"""Configurations: what is built for, and what is built once for all."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("//bazel/private:flags.bzl", "FLAG_DEFAULTS")
load("//bazel/private:providers.bzl", "PyAppInfo", "WheelInfo")
load("//bazel/private:target.bzl", "TargetInfo")
load("//bazel/private:transitions.bzl", "TARGET_ATTRS", "target_transition")

_FoundInfo = provider(doc = "What a configuration made.", fields = ["app", "layer", "suffix"])

def _probe_impl(ctx):
    target = ctx.attr.library
    return [
        ctx.attr._target[TargetInfo],
        _FoundInfo(
            app = [wheel.filename for wheel in target[PyAppInfo].wheels.to_list()],
            layer = target[WheelInfo].layer.blob.path,
            suffix = ctx.attr._target[TargetInfo].suffix,
        ),
    ]

probe = rule(
    implementation = _probe_impl,
    doc = "Looks at a library as an artifact for a platform does.",
    attrs = TARGET_ATTRS | {
        "library": attr.label(),
        "_target": attr.label(default = "//bazel/private:target"),
    },
    cfg = target_transition,
)

def _target_test_impl(ctx):
    env = analysistest.begin(ctx)
    info = analysistest.target_under_test(env)[TargetInfo]
    asserts.equals(env, ctx.attr.spelling, info.spelling)
    asserts.equals(env, ctx.attr.python, info.python_spelling)
    asserts.equals(env, ctx.attr.suffix, info.suffix)
    return analysistest.end(env)

target_test = analysistest.make(
    _target_test_impl,
    attrs = {"python": attr.string(), "spelling": attr.string(), "suffix": attr.string()},
)

def _same_layer_test_impl(ctx):
    env = analysistest.begin(ctx)
    one = analysistest.target_under_test(env)[_FoundInfo]
    other = ctx.attr.other[_FoundInfo]
    asserts.true(env, one.suffix != other.suffix, "the platforms have to differ")
    asserts.equals(env, one.layer, other.layer, "one action makes the layer for both")
    asserts.equals(env, one.app, other.app)
    return analysistest.end(env)

same_layer_test = analysistest.make(_same_layer_test_impl, attrs = {"other": attr.label()})

def _other_layer_test_impl(ctx):
    env = analysistest.begin(ctx)
    one = analysistest.target_under_test(env)[_FoundInfo]
    asserts.true(env, one.layer != ctx.attr.other[_FoundInfo].layer, "paths in a layer have the Python's version")
    return analysistest.end(env)

other_layer_test = analysistest.make(_other_layer_test_impl, attrs = {"other": attr.label()})

def _flag_test_impl(ctx):
    env = analysistest.begin(ctx)
    flag = analysistest.target_under_test(env)
    asserts.equals(env, FLAG_DEFAULTS[flag.label.name], flag[BuildSettingInfo].value)
    return analysistest.end(env)

flag_test = analysistest.make(_flag_test_impl)

def _failure_test_impl(ctx):
    env = analysistest.begin(ctx)
    for words in ctx.attr.words:
        asserts.expect_failure(env, words)
    return analysistest.end(env)

_FAILURE = {"words": attr.string_list(mandatory = True)}

failure_test = analysistest.make(_failure_test_impl, expect_failure = True, attrs = _FAILURE)

wrong_version_test = analysistest.make(
    _failure_test_impl,
    expect_failure = True,
    attrs = _FAILURE,
    config_settings = {str(Label("//bazel/config:python_version")): "3.12.1"},
)

old_platform_test = analysistest.make(
    _failure_test_impl,
    expect_failure = True,
    attrs = _FAILURE,
    config_settings = {
        "//command_line_option:platforms": str(Label("//platforms:linux_arm64_musl")),
        str(Label("//bazel/config:musl")): "1.1",
    },
)
