"""Every way in: HTTP routes, server commands, composition."""
