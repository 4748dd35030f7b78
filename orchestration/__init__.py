"""When it runs: the plan, the run, the command line."""
