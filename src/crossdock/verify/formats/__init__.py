"""Reports in the formats of other programs: SARIF, JUnit XML, GitHub's workflow commands, Markdown.

Names and texts in a finding come from artifacts that anybody may have made, so each format has one place where they
become harmless: nothing of an artifact is ever markup, a command or a link.
"""

from crossdock.verify.formats.github import to_github
from crossdock.verify.formats.junit import to_junit
from crossdock.verify.formats.markdown import to_markdown
from crossdock.verify.formats.sarif import to_sarif

__all__ = ["to_github", "to_junit", "to_markdown", "to_sarif"]
