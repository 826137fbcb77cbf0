"""The paper's experiments: models by seeds on one prepared log, and what comes out of them."""
