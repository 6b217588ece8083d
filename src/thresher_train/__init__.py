"""Train Thresher's token classifier: distil, label, check, train, evaluate, export.

The public entry functions are imported from their own modules, so that importing this package
costs nothing and needs none of the optional packages of the ``train`` extra.
"""
