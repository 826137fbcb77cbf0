"""The operators that refine a history over its graph, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

from model_code.layers.dependency_attention import DependencyAttention
from model_code.layers.graph_attention import GraphAttention
from model_code.layers.graph_convolution import GraphConvolution
from model_code.layers.light_graph_convolution import LightGraphConvolution

GraphOperator = Literal["dha", "gat", "gcmc", "lightgcn"]

# Made of the node width and the number of heads; called as `DependencyAttention` is.
GRAPH_OPERATORS: dict[GraphOperator, Callable[[int, int], nn.Module]] = {
    "dha": DependencyAttention,
    "gat": GraphAttention,
    "gcmc": lambda width, _heads: GraphConvolution(width),
    "lightgcn": lambda _width, _heads: LightGraphConvolution(),
}
