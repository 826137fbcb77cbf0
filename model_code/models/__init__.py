"""One model a file, and the table of them."""
