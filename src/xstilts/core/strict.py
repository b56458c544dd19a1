"""Strict models and YAML files: an unknown, missing or double key is one clear error.

The base of params.yaml, machine.yaml, pins.yaml, references.yaml and the study files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from xstilts.core.errors import UserError

M = TypeVar("M", bound="Strict")
UNION = re.compile(r"constrained-|literal\[")  # how pydantic names types of which a value has one
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what numpy takes; torch and Python take more


class Strict(BaseModel):
    """A model that refuses keys it does not know, and numbers that are none."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `batch: true`, which Python takes for 1."""
        of = cls.model_fields[info.field_name or ""].annotation
        given = value if isinstance(value, list) else [value]
        if bool not in (of, *get_args(of)) and any(isinstance(one, bool) for one in given):
            raise ValueError(
                "a number or text is expected, not true or false, "
                "as which YAML reads yes, no, on and off that stand without quotes"
            )
        return value


def describe(error: ValidationError) -> str:
    """Say where a pydantic error is and what it is, in one line."""
    errors = error.errors()
    place, told = errors[0]["loc"], errors[:1]
    beside = [one for one in errors if one["loc"][:-1] == place[:-1]]
    if any(UNION.match(str(part)) for one in beside for part in one["loc"][-1:]):
        place, told = place[:-1], beside  # one of each type that the value may have
    problem = "; or ".join(map(_problem, told))
    more = len(errors) - len(told)
    where = ".".join(map(str, place)) or "top level"
    return f"{where}: {problem}" + (f" (and {more} more)" if more else "")


def _problem(error: Any) -> str:
    """What one of pydantic's errors says."""
    usual: str = error["msg"].removeprefix("Value error, ")
    return {"extra_forbidden": "unknown key", "missing": "key is missing"}.get(error["type"], usual)


def parse(model: type[M], value: Any, source: Path | str, mend: str) -> M:
    """Validate a value.

    Raises:
        UserError: a key is unknown, missing or of the wrong type.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{source}: {describe(error)}. Mend: {mend}") from error


class _Loader(yaml.CSafeLoader):
    """Refuses a key that occurs twice, of which YAML readers keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                wrong = f"the key {key.value!r} occurs twice"
                raise yaml.constructor.ConstructorError(problem=wrong, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, mend: str) -> Any:
    """Read a YAML file; a missing or broken one is a UserError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. Mend: {mend}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no valid YAML ({reason}). Mend: {mend}") from error
