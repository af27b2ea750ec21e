"""Tests; a package, since one of the packages they need installs a `tests` of its own."""
