import time, cProfile, pstats
from tests.repair.bench import *
from dbops.repair.manifest import Limits
lim=Limits(rows=200000)
def go(b, n):
    r=b.run(repair(watch("t","v='OLD'",update=n,may_change=["v"]),limits=lim),"UPDATE t SET v='NEW' WHERE v='OLD'")
    p=cProfile.Profile(); p.enable()
    a=time.time(); c=time.process_time(); u=b.undo(r,limits=lim); print("undo",time.time()-a, time.process_time()-c)
    p.disable(); pstats.Stats(p).sort_stats("tottime").print_stats(22)
def test_x(sqlite_bench):
    b=sqlite_bench
    b.site.run("CREATE TABLE t (id integer primary key, v text, w text)","WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n<10000) INSERT INTO t SELECT n,'OLD','some more text here '||n FROM s")
    b.site.prepare("t"); go(b,10000)
def test_y(postgresql_bench):
    b=postgresql_bench
    b.site.run("CREATE TABLE t (id integer primary key, v text, w text)","INSERT INTO t SELECT n,'OLD','some more text here '||n FROM generate_series(1,10000) n")
    b.site.prepare("t"); go(b,10000)
