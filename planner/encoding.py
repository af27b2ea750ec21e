"""Text of a user's file: UTF-8 with or without a byte-order mark, or UTF-16 as PowerShell's `>` writes it."""

from __future__ import annotations

import codecs


def decoded(content: bytes) -> str:
    r"""Text as its byte-order mark says, UTF-8 without one; lines end as in Python. Raises UnicodeDecodeError.

    Examples
    --------
    >>> decoded(b"\xef\xbb\xbfa = 1\r\n"), decoded(b"\xff\xfea\x00"), decoded(b"a")
    ('a = 1\n', 'a', 'a')
    """
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if marked else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")
