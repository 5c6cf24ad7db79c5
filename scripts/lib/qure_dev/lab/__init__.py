"""The lab: QuRe nodes in network namespaces behind a gateway namespace, joined by a bridge."""
