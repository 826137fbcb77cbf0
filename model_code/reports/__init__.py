"""Reports for people: one HTML file each, complete in itself, readable offline and on paper."""
