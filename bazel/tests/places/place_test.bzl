"""Which Python is started, with machines of three kinds."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _of(name):
    return str(Label("//bazel/tests/places:" + name))

def _place_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = analysistest.target_actions(env)
    if ctx.attr.mnemonic:
        found = [action.argv[0] for action in actions if action.mnemonic == ctx.attr.mnemonic]
    else:
        commands = [action.substitutions["%{commands}"] for action in actions if action.mnemonic == "TemplateExpand"]
        found = [part for command in commands for part in command.split("'") if part.endswith("/python3")]
    asserts.equals(env, [ctx.attr.python], {program: None for program in found}.keys())
    return analysistest.end(env)

place_test = analysistest.make(
    _place_test_impl,
    attrs = {"mnemonic": attr.string(), "python": attr.string()},
    config_settings = {
        "//command_line_option:extra_execution_platforms": [_of("worker_platform")],
        "//command_line_option:extra_toolchains": [_of(place + "_python") for place in ("device", "host", "worker")],
        "//command_line_option:host_platform": _of("host_platform"),
        "//command_line_option:platforms": [_of("device_platform")],
    },
)
