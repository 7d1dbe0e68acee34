"""Which wheels share a layer; and that the command line says the same."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bazel/private:core_tool.bzl", "CoreToolInfo")
load("//bazel/private:grouping.bzl", "GROUPINGS", "LARGE", "MAX_LARGE_LAYERS", "group_wheels")
load("//bazel/private:launcher.bzl", "TEST_ATTRS", "TEST_EXEC_GROUPS")
load(":script_test.bzl", "script_test")

def _wheel(name, size, pure = True):
    return struct(name = name, pure = pure, size = size)

def _many(number, size):
    return [_wheel("w%d" % i, size + i % 7, i % 3 == 0) for i in range(number)]

# Wheels of all kinds and sizes, around the limits.
CASES = {
    "all_large": _many(MAX_LARGE_LAYERS, LARGE),
    "limit": [_wheel("b", LARGE - 1), _wheel("a", LARGE), _wheel("c", LARGE + 1, False)],
    "none": [],
    "one_small": [_wheel("only", 10)],
    "same_size": [_wheel("z", LARGE), _wheel("a", LARGE), _wheel("m", 5, False), _wheel("b", 5, False)],
    "small": [_wheel("pure-2", 9), _wheel("so-1", 9, False), _wheel("pure-1", 7), _wheel("so-2", 7, False)],
    "too_many_large": _many(MAX_LARGE_LAYERS + 9, LARGE),
    "too_many_small": _many(MAX_LARGE_LAYERS + 25, 100),
}

def _names(groups):
    return [[wheel.name for wheel in group] for group in groups]

def _grouping_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, [["a"], ["c"], ["b"]], _names(group_wheels(CASES["limit"], "grouped")))
    asserts.equals(env, [["pure-1", "pure-2"], ["so-1", "so-2"]], _names(group_wheels(CASES["small"], "grouped")))
    asserts.equals(env, [["pure-1"], ["pure-2"], ["so-1"], ["so-2"]], _names(group_wheels(CASES["small"], "wheel")))
    asserts.equals(env, [], group_wheels([], "wheel"))
    for case, wheels in CASES.items():
        for grouping in GROUPINGS:
            groups = group_wheels(wheels, grouping)
            asserts.true(env, len(groups) <= MAX_LARGE_LAYERS + 2, case)
            asserts.equals(env, sorted([w.name for w in wheels]), sorted([w.name for group in groups for w in group]), case)
    return unittest.end(env)

grouping_test = unittest.make(_grouping_test_impl)

_COMPARE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from crossdock.layers.grouping import SizedWheel, group_wheels

cases = json.load(open(sys.argv[2], encoding="utf-8"))
for case in cases:
    wheels = [SizedWheel(version="1", filename=w["name"], sha256=w["name"], **w) for w in case["wheels"]]
    groups = [[wheel.name for wheel in group.wheels] for group in group_wheels(wheels, case["grouping"])]
    if groups != case["groups"]:
        sys.exit(f"{case['case']}, {case['grouping']}: the command line has {groups}, Bazel {case['groups']}")
print(f"{len(cases)} cases are grouped alike")
sys.exit(0 if len(cases) >= 10 else "there are too few cases")
"""

def _parity_test_impl(ctx):
    cases = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(cases, json.encode([
        {"case": case, "grouping": grouping, "groups": _names(group_wheels(wheels, grouping)), "wheels": wheels}
        for case, wheels in CASES.items()
        for grouping in GROUPINGS
    ]))
    return [script_test(ctx, _COMPARE, [ctx.attr._tool[CoreToolInfo].command[-1], cases])]

grouping_parity_test = rule(
    implementation = _parity_test_impl,
    test = True,
    doc = "Compares the rules' division of wheels into layers with the core's.",
    exec_groups = TEST_EXEC_GROUPS,
    attrs = TEST_ATTRS,
)

def grouping_tests(name):
    """Tests of the division into layers.

    Args:
        name: Name of the suite.
    """
    unittest.suite(name + "_here", grouping_test)
    grouping_parity_test(name = name + "_parity_test", size = "small")
    native.test_suite(name = name, tests = [":%s_here" % name, ":%s_parity_test" % name])
