"""`python -m dbops` is the command `dbops`."""

from dbops.cli.root import main

main(prog_name="dbops")
