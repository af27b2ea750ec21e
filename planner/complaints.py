"""What pydantic finds wrong with a value, told in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from planner.errors import Invalid, Message, Translate

# Pydantic's own words by the type of its error, of several where they count; the tests hold them against it.
TEMPLATES = {
    "bool_parsing": Message("Input should be a valid boolean, unable to interpret input"),
    "bool_type": Message("Input should be a valid boolean"),
    "dict_type": Message("Input should be a valid dictionary"),
    "extra_forbidden": Message("Extra inputs are not permitted"),
    "finite_number": Message("Input should be a finite number"),
    "float_parsing": Message("Input should be a valid number, unable to parse string as a number"),
    "float_type": Message("Input should be a valid number"),
    "greater_than": Message("Input should be greater than {gt}"),
    "greater_than_equal": Message("Input should be greater than or equal to {ge}"),
    "int_from_float": Message("Input should be a valid integer, got a number with a fractional part"),
    "int_parsing": Message("Input should be a valid integer, unable to parse string as an integer"),
    "int_type": Message("Input should be a valid integer"),
    "less_than": Message("Input should be less than {lt}"),
    "less_than_equal": Message("Input should be less than or equal to {le}"),
    "literal_error": Message("Input should be {expected}"),
    "missing": Message("Field required"),
    "model_type": Message("Input should be a valid dictionary or instance of {class_name}"),
    "string_pattern_mismatch": Message("String should match pattern '{pattern}'"),
    "string_too_long": Message("String should have at most {max_length} characters"),
    "string_too_short": Message("String should have at least {min_length} characters"),
    "string_type": Message("Input should be a valid string"),
    "too_long": Message("{field_type} should have at most {max_length} items after validation, not {actual_length}"),
    "too_short": Message("{field_type} should have at least {min_length} items after validation, not {actual_length}"),
    "tuple_type": Message("Input should be a valid tuple"),
}


@dataclass(frozen=True)
class Complaint:
    """One error of pydantic: in English its own words, elsewhere their translation where there is one."""

    error: Mapping[str, Any]

    def told(self, _: Translate) -> str:
        """The text, in the language of `_`."""
        values, template = self.error.get("ctx", {}), TEMPLATES.get(self.error["type"])
        cause = values.get("error")
        if isinstance(cause, Invalid):
            return cause.told(_)
        if template is None or _(template.template) == template.template:
            return str(self.error["msg"]).removeprefix("Value error, ")
        return _(template.template).format(**{name: _shown(name, value, _) for name, value in values.items()})

    def __str__(self) -> str:
        return self.told(str)


def _shown(name: str, value: object, _: Translate) -> object:
    """A number as pydantic spells it; of a choice, its values with an "or" of the language."""
    if isinstance(value, float):
        return f"{Decimal(str(value)):f}".removesuffix(".0")
    values, between, last = str(value).rpartition(" or ")
    return Message("{values} or {last}", values=values, last=last).told(_) if name == "expected" and between else value


def complaint(error: Mapping[str, Any]) -> Complaint:
    """What is wrong with one value, without where it stands.

    Examples
    --------
    >>> from pydantic import TypeAdapter, ValidationError
    >>> try:
    ...     TypeAdapter(int).validate_python("many")
    ... except ValidationError as error:
    ...     print(complaint(error.errors()[0]))
    Input should be a valid integer, unable to parse string as an integer
    """
    return Complaint(error)
