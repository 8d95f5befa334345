"""The estate: `dbops.toml` and the environment become frozen values, here and nowhere else.

* `values` holds what an estate consists of; pure.
* `durations`, `times`, `names` and `wording` read and write the small things in it; pure.
* `document` is the grammar of the file, `faults` says what is wrong with one, `resolve` turns a
  right one into values; pure. `document` imports pydantic, so they are imported only when a
  file is really read.
* `load` finds and reads the file; `secrets` reads a secret at the moment that it is needed.
* `template` is the file that `dbops init` writes.
"""
