"""What scripts, not people, enforce: one function per check, each returning a list of problems."""
