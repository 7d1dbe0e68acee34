"""The Markdown summary, rendered by markdown-it with GitHub's additions: tables, and links of bare addresses."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from tests.unit.verify.formats.samples import HOSTILE, NUMPY, each_hostile, finding, hostile, image, mixed, report

from crossdock.verify.formats import to_markdown

if TYPE_CHECKING:
    from crossdock.verify.report import Report

#: All elements there are to be; whatever else appears came out of a name.
EXPECTED = {
    *("h3", "table", "thead", "tbody", "tr", "th", "td", "code", "strong"),
    *("details", "summary", "pre", "p"),
}


class Page(HTMLParser):
    """What a browser would find in the rendered summary."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.outside = ""
        self.block = ""
        self.feed(MarkdownIt("gfm-like", {"html": True}).render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style", "class"}
        self.open.append(tag)
        self.elements.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        if "pre" in self.open:
            self.block += data
        if "code" not in self.open:
            self.outside += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def page_of(*reports: Report) -> Page:
    page = Page(to_markdown(reports))
    assert page.open == []
    assert {*page.elements} <= EXPECTED
    return page


class TestImages:
    def test_one_row_each_says_the_result_and_what_was_looked_at(self) -> None:
        page = page_of(report(image(), image(finding(), finding("b"), architecture="amd64", files=7)))
        digest = f"sha256:{'ab' * 6}"
        assert page.tables[0] == [
            ["Artifact", "Platform", "Digest", "Result", "Files", "Natives", "Packages"],
            ["dist/app.tar", "linux/arm64", digest, "ok", "1,234", "42", "17"],
            ["dist/app.tar", "linux/amd64", digest, "refused: 2 errors", "7", "42", "17"],
        ]
        assert "crossdock verify: refused" in page.outside

    def test_what_was_not_judged_has_a_row_too(self) -> None:
        rows = page_of(mixed()).tables[0]
        assert rows[3] == [
            "dist/app.tar", "-", f"sha256:{'cd' * 6}", "not judged: it is an attestation", "-", "-", "-",
        ]  # fmt: skip

    def test_a_good_report_is_that_one_table(self) -> None:
        page = page_of(report(image()))
        assert len(page.tables) == 1
        assert page.outside.strip().startswith("crossdock verify: ok")
        assert "details" not in page.elements

    def test_a_report_of_nothing_is_refused(self) -> None:
        page = page_of(report())
        assert page.tables[0][1] == ["dist/app.tar", "-", "-", "refused", "-", "-", "-"]
        assert page.tables[1][1][2] == "no-image"

    def test_no_report_is_no_good_news(self) -> None:
        with pytest.raises(ValueError, match="no report"):
            to_markdown([])


class TestFindings:
    def test_those_that_are_alike_are_one_row(self) -> None:
        rows = page_of(mixed()).tables[1]
        wrong = "is an x86-64 ELF file, but the target linux/arm64 needs aarch64"
        assert rows[0] == ["", "Platform", "Rule", "Package", "File", "Found", "Times"]
        assert rows[2] == ["error", "linux/arm64", "elf-machine", "numpy 2.1.0", NUMPY, wrong, "2"]
        assert [row[0] for row in rows[1:]] == ["error", "error", "error", "warning", "note"]

    def test_of_several_artifacts_the_rows_say_which(self) -> None:
        rows = page_of(report(image(finding())), report(image(finding()), subject="b.tar")).tables[1]
        assert [row[1] for row in rows] == ["Artifact", "dist/app.tar", "b.tar"]

    def test_the_details_are_folded_and_say_what_to_do(self) -> None:
        page = page_of(mixed())
        assert "4 errors, 1 warning, 1 note" in page.outside
        assert "hint: take the wheel for the target" in page.block
        assert "site-packages/numpy/linalg.so is an x86-64 ELF file" in page.block


class TestHostileNames:
    @each_hostile
    def test_the_tables_keep_their_shape(self, text: str) -> None:
        page = page_of(hostile(text), report(image()))
        images, findings = page.tables
        assert [len(row) for row in images] == [7] * 5
        assert [len(row) for row in findings] == [8] * 4

    @each_hostile
    def test_nothing_of_them_is_outside_of_code(self, text: str) -> None:
        def words(text: str) -> str:
            # What stands for an empty name is a dash in place of a code span.
            return re.sub(r"[\s-]+", " ", page_of(hostile(text), report(image())).outside)

        assert words(text) == words("harmless")

    @each_hostile
    def test_the_source_is_printable_and_fits_into_a_comment(self, text: str) -> None:
        source = to_markdown([hostile(text)])
        assert source.replace("\n", "").isprintable()
        assert len(source) <= 65_000

    def test_all_of_them_at_once_fit_into_a_comment(self) -> None:
        bad = [finding(text * 9, found=f"{text}{n}", hint=text) for text in HOSTILE for n in range(5)]
        reports = [report(*(image(*bad) for _ in range(9)), subject="x" * 900) for _ in range(10)]
        source = to_markdown(reports)
        assert len(source) <= 65_000
        page = page_of(*reports)
        assert re.search(r"and \d+ other images", page.outside)
        assert re.search(r"and [\d,]+ other groups", page.outside)
        assert re.search(r"and [\d,]+ other groups", page.block)

    def test_pipes_and_backticks_are_shown_as_what_stands_for_them(self) -> None:
        rows = page_of(report(image(finding("a|b`c\n.so")))).tables[1]
        assert rows[1][4] == r"a\x7cb\x60c\n.so"
