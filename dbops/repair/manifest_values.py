"""Forms that only the values of a repair's manifest have, and its errors; pure."""

from __future__ import annotations

from functools import partial
from typing import Final

from dbops.repair.parameter import ParameterType
from dbops.repair.values import is_value, value_rule
from dbops.review import section
from dbops.review.section import Form
from dbops.review.work import Kind

COLUMN: Final = Form(
    value_rule(ParameterType.COLUMN), lambda text: is_value(ParameterType.COLUMN, text)
)
refusal: Final = partial(section.refusal, Kind.REPAIR)
