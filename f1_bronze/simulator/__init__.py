"""An embedded OpenF1 stand-in: the same requests, responses and failures, over HTTP.

It imports no other room of f1_bronze, so that any program can use it. Where do I go to…?
- start it: `server.Simulator`
- change what it serves: `invented.InventedSeasons` (made in `season/`) or `sources.RecordedSeasons`
  (files); both are a `sources.SeasonSource`
- change how it behaves: `behaviour.Behaviour` when it starts, `control.Control` while it runs (also
  over HTTP)
- see what "as OpenF1 does" means: `api` (the order of checks), `queries`, `responses` (bodies)
- add a kind of fault: a case in `faults.apply_fault`, its name in `faults.KINDS`, and in
  `faults.MIX` if it passes by itself
"""
