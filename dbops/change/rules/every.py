"""Every rule, in the order in which they look."""

from __future__ import annotations

from typing import Final

from dbops.change.rules.ddl_accepted import DDL_ACCEPTED
from dbops.change.rules.ddl_dml import DDL_DML
from dbops.change.rules.ddl_down import DDL_DOWN
from dbops.change.rules.ddl_drop import DDL_DROP
from dbops.change.rules.ddl_fk import DDL_FK
from dbops.change.rules.ddl_grant import DDL_GRANT
from dbops.change.rules.ddl_name import DDL_NAME
from dbops.change.rules.ddl_narrow import DDL_NARROW
from dbops.change.rules.ddl_nn import DDL_NN
from dbops.change.rules.ddl_own import DDL_OWN
from dbops.change.rules.ddl_path import DDL_PATH
from dbops.change.rules.ddl_phi import DDL_PHI
from dbops.change.rules.ddl_pkdrop import DDL_PKDROP
from dbops.change.rules.ddl_rename import DDL_RENAME
from dbops.change.rules.ddl_ticket import DDL_TICKET
from dbops.change.rules.ddl_tmo import DDL_TMO
from dbops.change.rules.ddl_touch import DDL_TOUCH
from dbops.change.rules.ddl_trg import DDL_TRG
from dbops.change.rules.ddl_tx import DDL_TX
from dbops.change.rules.ddl_uniq import DDL_UNIQ
from dbops.change.rules.ddl_unread import DDL_UNREAD
from dbops.change.rules.ddl_view import DDL_VIEW
from dbops.change.rules.finding import Rule
from dbops.change.rules.lt_rebuild import LT_REBUILD
from dbops.change.rules.ms_nocheck import MS_NOCHECK
from dbops.change.rules.ms_online import MS_ONLINE
from dbops.change.rules.ms_set import MS_SET
from dbops.change.rules.ms_size import MS_SIZE
from dbops.change.rules.ms_view import MS_VIEW
from dbops.change.rules.my_algo import MY_ALGO
from dbops.change.rules.my_badeng import MY_BADENG
from dbops.change.rules.my_ddltx import MY_DDLTX
from dbops.change.rules.my_enum import MY_ENUM
from dbops.change.rules.my_mdl import MY_MDL
from dbops.change.rules.ora_invalid import ORA_INVALID
from dbops.change.rules.ora_online import ORA_ONLINE
from dbops.change.rules.ora_purge import ORA_PURGE
from dbops.change.rules.ora_valid import ORA_VALID
from dbops.change.rules.pg_definer import PG_DEFINER
from dbops.change.rules.pg_enum import PG_ENUM
from dbops.change.rules.pg_idx import PG_IDX
from dbops.change.rules.pg_notvalid import PG_NOTVALID
from dbops.change.rules.pg_rewrite import PG_REWRITE
from dbops.change.rules.pg_setnn import PG_SETNN
from dbops.change.rules.pg_ts import PG_TS
from dbops.change.rules.pg_uniquecon import PG_UNIQUECON

EVERY: Final[tuple[Rule, ...]] = (
    DDL_TX,
    DDL_TMO,
    DDL_TRG,
    DDL_OWN,
    DDL_DROP,
    DDL_NARROW,
    DDL_RENAME,
    DDL_NN,
    DDL_UNIQ,
    DDL_PKDROP,
    DDL_DML,
    DDL_GRANT,
    DDL_DOWN,
    DDL_FK,
    DDL_VIEW,
    DDL_PHI,
    DDL_PATH,
    DDL_NAME,
    DDL_TOUCH,
    PG_IDX,
    PG_NOTVALID,
    PG_SETNN,
    PG_REWRITE,
    PG_UNIQUECON,
    PG_TS,
    PG_ENUM,
    PG_DEFINER,
    LT_REBUILD,
    MY_ALGO,
    MY_ENUM,
    MY_DDLTX,
    MY_MDL,
    MY_BADENG,
    ORA_ONLINE,
    ORA_PURGE,
    ORA_VALID,
    ORA_INVALID,
    MS_ONLINE,
    MS_NOCHECK,
    MS_SIZE,
    MS_SET,
    MS_VIEW,
    DDL_UNREAD,
    DDL_TICKET,
    DDL_ACCEPTED,  # last: it looks at what the others found
)
