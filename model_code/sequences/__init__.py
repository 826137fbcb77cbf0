"""From a split log to histories, samples and negatives, as flat arrays gathered on the device."""
