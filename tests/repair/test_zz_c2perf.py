import cProfile, pstats, time, resource
from tests.repair.bench import *
import pytest

def test_perf(postgresql_bench):
    b = postgresql_bench
    b.site.run("CREATE TABLE t (id int primary key, ward text, a text, b numeric, c timestamptz default now(), n text)","INSERT INTO t SELECT n, 'w'||n%100, md5(n::text), n*1.5, now(), md5(n::text) FROM generate_series(1,300000) n", "ANALYZE t")
    b.site.prepare("t")
    t0=clock()
    b.site.run("BEGIN","UPDATE t SET ward = 'x' WHERE id <= 100000","ROLLBACK"); print("bare", clock(), t0)
    b.site.run("VACUUM t")
    m = repair(watch("t", "id <= 100000", update=100000, may_change=["ward"]), limits=Limits(rows=100000))
    t0=clock()
    r = b.run(m, "UPDATE t SET ward = 'x' WHERE id <= 100000"); print("run", clock(), t0)
    p = cProfile.Profile() if PROFILE else None
    t0=clock()
    if p: p.enable()
    u = b.undo(r, limits=Limits(rows=100000))
    if p: p.disable(); pstats.Stats(p).sort_stats("cumtime").print_stats(45)
    print("undo", clock(), t0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
import os
def clock():
    return (round(time.time(),2), round(time.process_time(),2))
PROFILE = bool(os.environ.get("PROFILE"))
