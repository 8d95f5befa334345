"""A case for each playbook that is shipped."""

from __future__ import annotations

from tests.playbooks.cases_of_items import CHARGE, CODES, RELINK, RESTORE
from tests.playbooks.cases_of_patients import MERGE, QUEUE, SPECIMEN, WARD

CASES = (MERGE, WARD, QUEUE, CHARGE, RELINK, RESTORE, SPECIMEN, CODES)
