"""An HTTP service that ranks candidates with a bundle (the extra ``serve``)."""
