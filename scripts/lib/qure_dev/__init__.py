"""What builds, checks, tests and measures QuRe. The programs in scripts/ call it."""
