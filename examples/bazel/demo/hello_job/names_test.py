"""Tests of a library with a dependency from the lock."""

import unittest

from demo.hello_job import names


class EncodeTest(unittest.TestCase):
    def test_letters_beyond_ascii(self) -> None:
        assert names.encode("größe.example") == "xn--gre-6ka8i.example"

    def test_ascii_stays(self) -> None:
        assert names.encode("plain.example") == "plain.example"


if __name__ == "__main__":
    unittest.main()
