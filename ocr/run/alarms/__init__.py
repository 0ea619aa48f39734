"""What tells that a run goes wrong while it still runs: one small callback for every way that is known."""
