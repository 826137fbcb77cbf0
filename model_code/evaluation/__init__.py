"""What the scores are worth: metrics, their uncertainty, slices, comparisons and the gates of promotion."""
