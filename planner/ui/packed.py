"""The compressed link: question, page, shown plan, language and widgets in one parameter, `q=1.<text>`.

The text is base64url of zlib of JSON. It comes from strangers: its length, what it may unpack to and every
field are limited before anything is done with it.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from planner.complaints import complaint
from planner.errors import Invalid, Message, WorkloadError
from planner.schema import Workload
from planner.schema.base import Strict
from planner.ui.link import MOST_RANK

VERSION = "1"
MOST_CHARACTERS, MOST_BYTES = 8_192, 65_536
MOST_WIDGETS, MOST_NAME, MOST_VALUE = 60, 60, 400
_TEXT = re.compile(r"[A-Za-z0-9_-]*")

PageName = Annotated[str, StringConstraints(pattern=r"^[a-z]{0,30}$")]
WidgetName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9_.]*-[A-Za-z0-9_.-]+$", max_length=MOST_NAME)]
WidgetValue = Annotated[str, StringConstraints(max_length=MOST_VALUE, strip_whitespace=False)]


class Shared(Strict):
    """A page as somebody sees it."""

    page: PageName = Field("", description="path of the page; empty: the first")
    preset: Annotated[str, StringConstraints(max_length=60)] = Field(description="preset that the question began as")
    rank: int = Field(1, ge=1, le=MOST_RANK, description="rank of the plan that is shown [-]")
    language: Literal["en", "zh"] = Field("en", description="language of the page")
    view: dict[WidgetName, tuple[WidgetValue, ...]] = Field(
        default_factory=dict, max_length=MOST_WIDGETS, description="widgets of the page that differ from their default"
    )
    catalogs: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")] = Field(
        description="first digits of the hash of the catalogs that it was seen with"
    )
    workload: Workload = Field(description="the question")


def pack(shared: Shared) -> str:
    """Text of a link's parameter."""
    body = shared.model_dump_json(exclude_none=True).encode()
    return f"{VERSION}.{base64.urlsafe_b64encode(zlib.compress(body, 9)).decode().rstrip('=')}"


def unpack(text: str) -> Shared:
    """What a link's parameter says.

    Raises
    ------
    WorkloadError
        For a text that no planner of this version wrote: too long, of another version, damaged, or with fields
        or values that a page cannot have.
    """
    version, _, body = text.partition(".")
    if len(text) > MOST_CHARACTERS:
        raise WorkloadError(
            "the link has {count:,} characters; at most {most_characters:,} are read.\n  {again}",
            count=len(text),
            most_characters=MOST_CHARACTERS,
            again=_AGAIN,
        )
    if version != VERSION:
        raise WorkloadError(
            "the link is of version {version!r}; this planner reads {own!r}.\n  {again}",
            version=version[:8],
            own=VERSION,
            again=_AGAIN,
        )
    try:
        return Shared.model_validate_json(_inflated(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"][:6]) or Message("the link")
        raise WorkloadError("{where}: {msg}.\n  {again}", where=where, msg=complaint(first), again=_AGAIN) from None


def _inflated(body: str) -> bytes:
    """Decompressed bytes; never more than MOST_BYTES are made, whatever the text claims to hold."""
    try:
        if not _TEXT.fullmatch(body):
            raise Invalid("a character that base64url does not have")
        engine = zlib.decompressobj()
        found = engine.decompress(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), MOST_BYTES)
        if not engine.eof or engine.unused_data:
            raise Invalid("cut short, longer than it says, or more than {most_bytes:,} bytes", most_bytes=MOST_BYTES)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise WorkloadError("the link is damaged: {error}.\n  {again}", error=error, again=_AGAIN) from None
    return found


_AGAIN = Message("Ask for the link again, or start from the form.")
