"""What runs in a process of its own, without network, files or the engine: scripts, style sheets, templates, schemas.

`worker` is started by `connectors.isolation` with this package alone on its path, so nothing in here may import from
outside of it but the standard library and the library that does the work.
"""
