"""Commands about environments, their backups, connections and workers."""
