"""Every rule, in the order in which they look."""

from __future__ import annotations

from typing import Final

from dbops.repair.rules.finding import Rule
from dbops.repair.rules.rep_accepted import REP_ACCEPTED
from dbops.repair.rules.rep_call import REP_CALL
from dbops.repair.rules.rep_case import REP_CASE
from dbops.repair.rules.rep_eng import REP_ENG
from dbops.repair.rules.rep_limit import REP_LIMIT
from dbops.repair.rules.rep_lit import REP_LIT
from dbops.repair.rules.rep_now import REP_NOW
from dbops.repair.rules.rep_pk import REP_PK
from dbops.repair.rules.rep_ticket import REP_TICKET
from dbops.repair.rules.rep_trg import REP_TRG
from dbops.repair.rules.rep_tx import REP_TX
from dbops.repair.rules.rep_type import REP_TYPE
from dbops.repair.rules.rep_unread import REP_UNREAD
from dbops.repair.rules.rep_watch import REP_WATCH
from dbops.repair.rules.rep_where import REP_WHERE

EVERY: Final[tuple[Rule, ...]] = (
    REP_TX,
    REP_TRG,
    REP_WHERE,
    REP_LIMIT,
    REP_PK,
    REP_ENG,
    REP_LIT,
    REP_WATCH,
    REP_CASE,
    REP_TYPE,
    REP_NOW,
    REP_CALL,
    REP_UNREAD,
    REP_TICKET,
    REP_ACCEPTED,  # last: it looks at what the others found
)
