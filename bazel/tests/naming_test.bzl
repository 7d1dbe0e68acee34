"""What things are called."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bazel/private:naming.bzl", "PLATFORMS", "clean_name", "find_main", "find_variants", "image_ending", "platform_binary_name", "platform_name")
load("//bazel/private:release.bzl", "find_language")

def _platform_name_test_impl(ctx):
    env = unittest.begin(ctx)
    for spelling, name in {
        "Linux/ARM64": "linux_arm64",
        "darwin/arm64": "macos_arm64",
        "linux/aarch64": "linux_arm64",
        "linux/amd64": "linux_amd64",
        "linux/amd64+musl": "linux_amd64_musl",
        "linux/arm64+musl": "linux_arm64_musl",
        "linux_arm64": "linux_arm64",
        "linux_x86_64": "linux_amd64",
        "macos/x86_64": "macos_amd64",
        "windows/amd64": "windows_amd64",
    }.items():
        asserts.equals(env, name, platform_name(spelling), spelling)
    for spelling in ["", "amd64", "linux", "linux/mips", "linux/arm64+glibc2.28", "//platforms:linux_arm64"]:
        asserts.equals(env, None, platform_name(spelling), spelling)
    return unittest.end(env)

def _variants_test_impl(ctx):
    env = unittest.begin(ctx)
    variants, problem = find_variants(["linux/arm64", "linux_x86_64"])
    asserts.equals(env, None, problem)
    asserts.equals(env, ["linux_arm64", "linux_amd64"], variants.keys(), "names keep the order that was given")
    asserts.equals(env, Label("//platforms:linux_arm64"), variants["linux_arm64"])
    variants, problem = find_variants({"linux_mine": Label("//platforms:canonical")})
    asserts.equals(env, None, problem)
    asserts.equals(env, {"linux_mine": Label("//platforms:canonical")}, variants)
    for platforms, words in [
        ([], "at least one platform"),
        (["linux/arm64", "linux_aarch64"], "'linux_arm64' is there twice"),
        (["linux/mips"], "no platform \"linux/mips\"; take one of linux_amd64, linux_amd64_musl, linux_arm64"),
        ([Label("//platforms:linux_arm64")], "what are names for"),
    ]:
        variants, problem = find_variants(platforms)
        asserts.equals(env, {}, variants)
        asserts.true(env, words.replace("'", "\"") in (problem or ""), "%s: %s" % (platforms, problem))
    return unittest.end(env)

def _main_test_impl(ctx):
    env = unittest.begin(ctx)
    for srcs, main in [
        (["app.py"], "app.py"),
        (["a.py", "main.py", "hello.py"], "main.py"),
        (["a.py", "hello.py", "main.py"], "hello.py"),
        (["a.py", "hello_main.py"], "hello_main.py"),
        (["domain.py", "hello.py"], "hello.py"),
        (["//lib:a.py", "//lib:src/main.py"], "//lib:src/main.py"),
        ([":main.py", "b.py"], ":main.py"),
    ]:
        asserts.equals(env, (main, None), find_main("hello", srcs), str(srcs))
    asserts.equals(env, ("b.py", None), find_main("hello", ["main.py", "b.py"], "b.py"), "what is given counts")
    for srcs, words in [
        ([], "nothing to run"),
        (["domain.py", "other.py"], "not clear: domain.py, other.py; none is called main.py or hello.py"),
        (select({"//conditions:default": ["main.py"]}), "srcs is a select"),
    ]:
        main, problem = find_main("hello", srcs)
        asserts.equals(env, None, main)
        asserts.true(env, words in (problem or ""), str(problem))
    return unittest.end(env)

def _names_test_impl(ctx):
    env = unittest.begin(ctx)
    for binary, name in {
        "//demo/hello": "hello",
        ":hello_linux_amd64": "hello",
        ":hello_linux_arm64_musl": "hello",
        "@other//demo:hello_linux_arm64": "hello",
        "hello": "hello",
        "hello_linux": "hello_linux",
    }.items():
        asserts.equals(env, name, clean_name(binary), binary)
    asserts.equals(env, "hello", clean_name(Label("//demo:hello_linux_arm64")))
    for ending in PLATFORMS:
        asserts.equals(env, "app", clean_name("app_" + ending))
    asserts.equals(env, ["arm64", "arm64_musl", "macos_arm64"], [image_ending(e) for e in ["linux_arm64", "linux_arm64_musl", "macos_arm64"]])
    existing = {"hello": {"kind": "py_binary"}, "hello_linux_arm64": {"kind": "platform_binary"}, "other_linux_arm64": {"kind": "go_binary"}}
    asserts.equals(env, "hello_linux_arm64", platform_binary_name("hello", "linux_arm64", existing))
    asserts.equals(env, None, platform_binary_name("hello", "linux_amd64", existing), "there is none of that platform")
    asserts.equals(env, None, platform_binary_name("other", "linux_arm64", existing), "that is something else of such a name")
    return unittest.end(env)

def _language_test_impl(ctx):
    env = unittest.begin(ctx)
    for target, kind, language in [
        ("hello_linux_amd64", "platform_binary", "python"),
        ("hello_linux_arm64", "platform_binary", "python"),
        ("hello", "py_binary", "python"),
        ("hello", "project", "python"),
        ("hello", "go_binary", "go"),
        ("hello_linux_amd64", "go_binary", "go"),
    ]:
        asserts.equals(env, (language, None), find_language("hello", {target: {"kind": kind}}), target)
    for name, target, kind, words in [
        ("hello", "other", "py_binary", "no target hello above"),
        ("hello", "hello", "genrule", "hello, which is a genrule, is not known"),
        (None, "hello", "py_binary", "is in another package"),
    ]:
        language, problem = find_language(name, {target: {"kind": kind}})
        asserts.equals(env, None, language)
        asserts.true(env, words in problem, problem)
    return unittest.end(env)

platform_name_test = unittest.make(_platform_name_test_impl)
variants_test = unittest.make(_variants_test_impl)
main_test = unittest.make(_main_test_impl)
names_test = unittest.make(_names_test_impl)
language_test = unittest.make(_language_test_impl)

def naming_tests(name):
    """Tests of names.

    Args:
        name: Name of the suite.
    """
    unittest.suite(name, platform_name_test, variants_test, main_test, names_test, language_test)
