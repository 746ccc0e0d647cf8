"""Pure words and transitions: what a run is, what may follow what, and what a proof is. No IO, no clock, no chance."""
