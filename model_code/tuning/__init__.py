"""The search for hyper-parameters, on the validation part alone."""
