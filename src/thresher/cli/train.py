"""``thresher distill | label | train | evaluate | export``: thin doors to ``thresher_train``."""
