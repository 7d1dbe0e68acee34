"""Unified diffs: what git and diff write is applied to the byte, anything that does not fit exactly is refused."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import OverrideError
from crossdock.wheels.patch import FilePatch, apply_hunks, parse_patch

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = b"one\ntwo\nthree\nfour\n"
CHANGE = """\
diff --git a/pkg/x.py b/pkg/x.py
index 1..2 100644
--- a/pkg/x.py
+++ b/pkg/x.py
@@ -1,4 +1,4 @@
 one
-two
+TWO
 three
 four
"""


def parse(text: str) -> tuple[FilePatch, ...]:
    return parse_patch(text.encode(), "fix.patch").files


def apply(text: str, before: bytes) -> bytes:
    (file,) = parse(text)
    return apply_hunks(before, file, "fix.patch")


def refused(text: str, before: bytes = BEFORE) -> str:
    with pytest.raises(OverrideError) as caught:
        apply(text, before)
    assert "fix.patch" in caught.value.what
    return str(caught.value)


class TestReading:
    def test_a_change(self) -> None:
        (file,) = parse(CHANGE)
        assert (file.path, file.action) == ("pkg/x.py", "change")
        assert apply(CHANGE, BEFORE) == b"one\nTWO\nthree\nfour\n"

    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            ("a/pkg/x.py", "b/pkg/x.py", "pkg/x.py"),
            ("pkg-1.0/pkg/x.py", "pkg-new/pkg/x.py", "pkg/x.py"),
            ("pkg/x.py", "pkg/x.py", "pkg/x.py"),
            ("pkg/x.py.orig", "pkg/x.py", "pkg/x.py"),
            ("x.py", "x.py", "x.py"),
            ("a/pkg/x.py\t2024-01-01 00:00:00", "b/pkg/x.py\t2024-01-02", "pkg/x.py"),
            ("a/with space.py\t", "b/with space.py\t", "with space.py"),
        ],
    )
    def test_paths_are_taken_as_p1_or_as_p0(self, old: str, new: str, path: str) -> None:
        assert parse(f"--- {old}\n+++ {new}\n@@ -1 +1 @@\n-x\n+y\n")[0].path == path

    def test_files_are_created_and_deleted(self) -> None:
        text = (
            "diff --git a/new.sh b/new.sh\nnew file mode 100755\nindex 0..1\n--- /dev/null\n+++ b/new.sh\n"
            "@@ -0,0 +1 @@\n+x\n"
            "diff --git a/empty.py b/empty.py\nnew file mode 100644\nindex 0..e\n"
            "diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
            "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\nindex e..0\n"
        )
        assert [(file.path, file.action, file.executable) for file in parse(text)] == [
            ("new.sh", "create", True),
            ("empty.py", "create", False),
            ("old.py", "delete", False),
            ("gone.py", "delete", False),
        ]

    def test_a_message_before_and_a_signature_behind_are_no_part_of_it(self) -> None:
        assert parse(f"From: me\nSubject: why\n\n---\n x | 2 +-\n\n{CHANGE}-- \n2.39.0\n") == parse(CHANGE)

    def test_an_editor_may_have_removed_the_space_of_an_empty_line(self) -> None:
        assert apply("--- x\n+++ x\n@@ -1,2 +1,2 @@\n\n-a\n+b\n", b"\na\n") == b"\nb\n"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "it changes no file"),
            ("hello\n", "it changes no file"),
            ("@@ -1 +1 @@\n-a\n+b\n", "line 1: a hunk belongs to no file"),
            ("--- a/x\n+++ b/x\n", "x has no hunk"),
            ("--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n+b\n", "hunk 1 ends early"),
            ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n-b\n+b\n", "has more lines than its header says"),
            ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n", "has more lines than its header says"),
            ("--- a/x\n+++ b/x\n@@ nonsense @@\n-a\n+b\n", "header of a hunk cannot be read"),
            ("--- a/x\n+++ b/x\n@@ -0,1 +1 @@\n-a\n+b\n", "starts at line 0"),
            ("--- /dev/null\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "is created, yet has old lines"),
            ("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", "names two files"),
            ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "leads out of the wheel"),
            ("diff --git a/x b/x\nindex 1..2\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", "nothing follows"),
            ("--- a/x\n@@ -1 +1 @@\n-a\n+b\n", "a hunk belongs to no file"),
            ("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", "changes a file's mode"),
            ("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", "renames a file"),
            ("diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 1\n", "changes a binary file"),
            ("Binary files a/x and b/x differ\n", "changes a binary file"),
            ("diff --git a/x b/x\nindex 1..2\nBinary files a/x and b/x differ\n", "changes a binary file"),
            ("diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+t\n", "not a regular"),
            ("diff --git a/x b/x\nnew file mode 160000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+t\n", "not a regular"),
            ('--- "a/\\303"\n+++ "b/\\303"\n@@ -1 +1 @@\n-a\n+b\n', "quotes a file's name"),
            ("diff --git a/x b/x\n", "nothing follows"),
        ],
    )
    def test_what_is_no_patch_of_text_is_refused(self, text: str, words: str) -> None:
        with pytest.raises(OverrideError) as caught:
            parse(text)
        assert "fix.patch" in caught.value.what
        assert words in str(caught.value)

    @pytest.mark.parametrize(
        "path", ["../x", "/etc/passwd", "pkg/../../x", "./x", "pkg//x", "C:/x", "pkg\\x", "pkg/\x1b[2J", "pkg/x\0"]
    )
    def test_no_path_leads_out_of_the_wheel(self, path: str) -> None:
        for text in (
            f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n",
            f"--- {path}\n+++ {path}\n@@ -1 +1 @@\n-a\n+b\n",
            f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+b\n",
            f"diff --git a/{path} b/{path}\nnew file mode 100644\n",
        ):
            with pytest.raises(OverrideError, match="leads out of the wheel"):
                parse(text)

    @given(st.binary(max_size=200) | st.text("-+@ ab/\n\\,1023dif gt", max_size=120).map(str.encode))
    def test_no_bytes_give_anything_but_a_patch_or_an_override_error(self, data: bytes) -> None:
        try:
            patch = parse_patch(data, "fix.patch")
            for file in patch.files:
                apply_hunks(b"a\nb\n", file, "fix.patch")
        except OverrideError:
            return


class TestApplying:
    def test_context_elsewhere_is_not_looked_for(self) -> None:
        text = refused(CHANGE, b"zero\n" + BEFORE)
        assert "does not apply to pkg/x.py: hunk 1 does not fit" in text
        assert "line 1 is 'zero\\n', and the patch expects 'one\\n'" in text

    def test_context_has_to_be_the_same(self) -> None:
        assert "line 4 is 'FOUR\\n'" in refused(CHANGE, b"one\ntwo\nthree\nFOUR\n")

    def test_the_hunk_that_does_not_fit_is_named(self) -> None:
        text = "--- x\n+++ x\n@@ -1 +1 @@\n-one\n+1\n@@ -4 +4 @@\n-five\n+5\n"
        assert "hunk 2 does not fit" in refused(text)

    def test_a_file_that_ends_early(self) -> None:
        assert "line 3 does not exist, and the patch expects 'three\\n'" in refused(CHANGE, b"one\ntwo\n")

    def test_other_line_endings_are_told(self) -> None:
        assert "only line endings differ" in refused(CHANGE, BEFORE.replace(b"\n", b"\r\n"))

    def test_the_same_line_endings_fit(self) -> None:
        (file,) = parse_patch(CHANGE.encode().replace(b"\n", b"\r\n"), "fix.patch").files
        assert apply_hunks(b"one\r\ntwo\r\nthree\r\nfour\r\n", file, "fix.patch") == b"one\r\nTWO\r\nthree\r\nfour\r\n"

    def test_hunks_that_overlap_are_refused(self) -> None:
        text = "--- x\n+++ x\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n@@ -2 +2 @@\n-two\n+2\n"
        assert "overlaps the hunk before it" in refused(text)

    @pytest.mark.parametrize(
        ("before", "hunk", "after"),
        [
            (b"a", "-a\n\\ No newline at end of file\n+b\n", b"b\n"),
            (b"a\n", "-a\n+b\n\\ No newline at end of file\n", b"b"),
            (b"a", "-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n", b"b"),
        ],
    )
    def test_a_missing_last_newline_is_part_of_the_line(self, before: bytes, hunk: str, after: bytes) -> None:
        assert apply(f"--- x\n+++ x\n@@ -1 +1 @@\n{hunk}", before) == after

    def test_a_missing_last_newline_that_is_there_does_not_fit(self) -> None:
        assert "hunk 1 does not fit" in refused(
            "--- x\n+++ x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n", b"a\n"
        )

    def test_a_line_within_the_file_has_to_end(self) -> None:
        text = "--- x\n+++ x\n@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n"
        assert "without a newline within the file" in refused(text)

    def test_a_deleted_file_has_no_other_lines(self) -> None:
        assert "lines are left over" in refused("--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n")


@pytest.mark.parametrize("seed", range(25))
def test_what_git_says_of_two_files_makes_one_of_the_other(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    words = [
        "alpha\n",
        "beta\n",
        "\n",
        "gamma \r\n",
        "-- \n",
        "--- a/x\n",
        "+++ b/x\n",
        "@@ -1 +1 @@\n",
        "\\ x\n",
        "ä\r",
    ]
    old = [chance.choice(words) for _ in range(chance.randint(0, 40))]
    new = [word for word in old if chance.random() > 0.2]
    for _ in range(chance.randint(0, 6)):
        new.insert(chance.randint(0, len(new)), chance.choice(words))
    before, after = "".join(old).encode(), "".join(new).encode()
    if chance.random() < 0.4:
        before = before.removesuffix(b"\n")
    if chance.random() < 0.4:
        after = after.removesuffix(b"\n")
    for side, content in (("a", before), ("b", after)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "x").write_bytes(content)
    arguments = ["git", "diff", "--no-index", "--no-prefix", f"-U{chance.randint(0, 4)}", "--text", "a/x", "b/x"]
    diff = subprocess.run(arguments, cwd=tmp_path, capture_output=True, check=False).stdout
    if not diff:
        assert before == after
        return
    (file,) = parse_patch(diff, "fix.patch").files
    assert file.path == "x"
    assert apply_hunks(before, file, "fix.patch") == after
