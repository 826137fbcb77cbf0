"""The models, one a file, and the table of them.

A model is made as ``Model(settings, shape)`` and maps a `Group` to an `Output`. Its ``loss_weights`` hold, by
name, the weight of each extra loss that it returns in training mode.
"""
