"""Everything that computes: from a raw click log to a judged and packed model.

Knows nothing of the orchestrator, the validation library or the data version control around it, so that
each piece can be imported, tested and reused alone.
"""
