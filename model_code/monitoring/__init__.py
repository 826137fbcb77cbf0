"""Watching a promoted model: what comes in and what it answers, against what it was tested on."""
