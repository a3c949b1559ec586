"""An embedded OpenF1 stand-in: the same questions, answers and bad days, on loopback.

Belongs here: all that imitates the API. Stays out: everything that asks it; no other
room of f1_bronze is imported, so any program may talk to it over HTTP.

Where do I go to…?
- start it: `server.Simulator`
- change what it serves: `generated.GeneratedSeasons` (invented seasons, made in `season/`)
  or `recorded.RecordedSeasons` (files); both are a `source.Source`
- change how it behaves: `behaviour.Manners` when it starts, `control.Control` while it runs
  (over HTTP: `control_http`)
- see what "as OpenF1 does" means: `api` (the order of checks), `filters` (queries),
  `limits`, `answers` (exact bodies)
- add a fault kind: one handler and one line in the table of `faults`, its name in
  `faults.KINDS`, and in `faults.MIX` if it passes by itself
"""
