"""What runs a model in another program: each a process of its own, since some of them abort.

``python -m mynah.export.foreign.NAME REQUEST`` reads a request (:mod:`mynah.export.runtimes`) and
writes its answer beside it. Nothing here imports the rest of Mynah.
"""
