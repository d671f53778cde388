"""Jobs for isolated processes without network, files or the engine: scripts, style sheets, templates, schemas.

`connectors.isolation` starts `worker` with only this package on its path. So modules here import nothing but the
standard library and the library that does the work.
"""
