"""JUnit XML, as a reader of it that CI jobs use (junitparser) and Python's own parser of XML take it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from junitparser import Failure, JUnitXml, TestSuite
from tests.unit.verify.formats.samples import NUMPY, each_hostile, finding, hostile, image, mixed, report

from crossdock.verify.formats import junit, to_junit

if TYPE_CHECKING:
    from crossdock.verify.report import Report


def suites(*reports: Report) -> list[TestSuite]:
    """The suites of a document that was parsed, and whose sums are right."""
    document = JUnitXml.fromstring(to_junit(reports).encode())
    assert isinstance(document, JUnitXml)
    found = list(document)
    for name in ("tests", "failures", "errors"):
        assert getattr(document, name) == sum(getattr(suite, name) for suite in found)
    for suite in found:
        cases = list(suite)
        assert (suite.tests, suite.errors) == (len(cases), 0)
        assert suite.failures == sum(1 for case in cases if not case.is_passed)
        assert all(len(case.result) <= 1 for case in cases)
    return found


def results(suite: TestSuite) -> dict[str, bool]:
    return {str(case.name): case.is_passed for case in suite}


def failures(suite: TestSuite) -> list[Failure]:
    return [result for case in suite for result in case.result if isinstance(result, Failure)]


class TestSuites:
    def test_there_is_one_for_each_image_and_one_for_what_concerns_none(self) -> None:
        assert [suite.name for suite in suites(mixed())] == [
            "dist/app.tar",
            "dist/app.tar linux/arm64",
            "dist/app.tar linux/amd64",
        ]

    def test_a_good_image_has_a_case_for_each_area_and_all_of_them_pass(self) -> None:
        (suite,) = suites(report(image()))
        assert results(suite) == dict.fromkeys(["machines", "abi", "packages", "contents", "proof"], True)

    def test_properties_say_what_was_looked_at(self) -> None:
        (suite,) = suites(report(image()))
        properties = suite.properties()  # type: ignore[no-untyped-call]
        assert {item.name: item.value for item in properties} == {
            "subject": "dist/app.tar",
            "platform": "linux/arm64",
            "digest": f"sha256:{'ab' * 32}",
            "layers": "3",
            "files": "1234",
            "natives": "42",
            "packages": "17",
        }

    def test_a_report_of_nothing_fails(self) -> None:
        (suite,) = suites(report())
        assert results(suite)["proof"] is False
        assert "proves nothing" in str(failures(suite)[0].message)

    def test_no_report_is_no_good_news(self) -> None:
        with pytest.raises(ValueError, match="no report"):
            to_junit([])

    def test_cases_of_different_artifacts_and_platforms_have_different_names(self) -> None:
        found = suites(mixed(), report(image(), subject="other.tar"))
        names = [(case.classname, case.name) for suite in found for case in suite]
        assert len({*names}) == len(names)


class TestCases:
    def test_an_error_fails_its_area_alone(self) -> None:
        (suite,) = suites(report(image(finding())))
        assert [name for name, passed in results(suite).items() if not passed] == ["machines"]

    def test_a_failure_names_the_rules_and_every_file(self) -> None:
        (suite,) = suites(report(image(finding(), finding("b.so"), finding("c", code="elf-os", found="is odd"))))
        (failure,) = failures(suite)
        assert failure.type == "elf-machine, elf-os"
        assert str(failure.message).startswith(f"3 errors: numpy 2.1.0: {NUMPY} is an x86-64 ELF file, but")
        assert str(failure.text).splitlines() == [
            f"error [elf-machine] numpy 2.1.0: {NUMPY} is an x86-64 ELF file, but the target linux/arm64 needs aarch64",
            "    numpy 2.1.0: b.so is an x86-64 ELF file, but the target linux/arm64 needs aarch64",
            "    hint: take the wheel for the target",
            "error [elf-os] numpy 2.1.0: c is odd, but the target linux/arm64 needs aarch64",
            "    hint: take the wheel for the target",
        ]

    def test_warnings_and_notes_fail_nothing_and_are_told(self) -> None:
        odd = [
            finding(code="executable-stack", severity="warning", hint=""),
            finding(code="rpath-nowhere", severity="note"),
        ]
        (suite,) = suites(report(image(*odd)))
        assert all(results(suite).values())
        (case,) = (case for case in suite if case.name == "abi")
        assert "warning [executable-stack]" in str(case.system_out)
        assert "note [rpath-nowhere]" in str(case.system_out)

    def test_what_is_in_no_catalogue_counts_as_unproved(self) -> None:
        (suite,) = suites(report(image(finding(code="brand-new"))))
        assert [name for name, passed in results(suite).items() if not passed] == ["proof"]

    def test_very_many_kinds_are_counted_at_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(junit, "_MOST_GROUPS", 2)
        (suite,) = suites(report(image(*(finding(found=f"is odd in way {n}", hint="") for n in range(5)))))
        assert str(failures(suite)[0].text).splitlines()[-1] == "and 3 errors more"


class TestHostileNames:
    @each_hostile
    def test_the_document_has_no_more_elements_than_for_a_harmless_name(self, text: str) -> None:
        def shape(report: Report) -> list[tuple[str, list[str]]]:
            root = ET.fromstring(to_junit([report]))
            return [(element.tag, sorted(element.keys())) for element in root.iter()]

        assert shape(hostile(text)) == shape(hostile("harmless"))
        assert len(suites(hostile(text))) == 3

    @each_hostile
    def test_no_text_of_it_harms_a_terminal(self, text: str) -> None:
        for element in ET.fromstring(to_junit([hostile(text)])).iter():
            for string in (element.text or "", *element.attrib.values()):
                assert string.replace("\n", "").isprintable()
                assert len(string) < 8_000

    def test_a_control_character_is_shown_escaped(self) -> None:
        (suite,) = suites(report(image(finding("a\x1b[31m\x00b.so"))))
        assert r"a\x1b[31m\x00b.so" in str(failures(suite)[0].text)
