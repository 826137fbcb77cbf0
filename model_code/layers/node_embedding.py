"""Item vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model_code.groups import Group, VocabularySizes
from model_code.kernels.library import ready
from model_code.layers.embedding_table import EmbeddingTable
from model_code.layers.gathering import Rows, gather


class NodeEmbedding(nn.Module):
    r"""Vectors of the history's events and of the candidates, from the same two tables.

    $h = [e_{item} \,\|\, e_{category}]$, each part ``width`` wide, so $d = 2 \cdot$ ``width``.

    Shapes:
        group: B histories of up to L events, C candidates each.
        returns: history (B, L, d), zero at padding, and candidates (B, C, d).
    """

    def __init__(self, sizes: VocabularySizes, width: int, scale: float) -> None:
        super().__init__()
        self.width = 2 * width
        self.item = EmbeddingTable(sizes.items, width, scale)
        self.category = EmbeddingTable(sizes.categories, width, scale)

    def forward(self, group: Group) -> tuple[Tensor, Tensor]:
        """Look up both: history (B, L, d) and candidates (B, C, d)."""
        if self.has_kernel():
            return self._by_kernel(group)
        # One look-up a table: its backward pass then fills one gradient of the table's size and not two.
        item = torch.cat([group.history_item, group.candidate_item], 1)
        category = torch.cat([group.history_category, group.candidate_category], 1)
        nodes = torch.cat([self.item(item), self.category(category)], -1)
        history, candidates = nodes.split([group.history_item.shape[1], group.candidate_item.shape[1]], 1)
        return history, candidates

    def rows(self, group: Group) -> list[Rows]:
        """What `gather` needs of each table to look up history and candidates, one after the other."""
        item = torch.cat([group.history_item.flatten(), group.candidate_item.flatten()])
        category = torch.cat([group.history_category.flatten(), group.candidate_category.flatten()])
        return [self.item.rows(item), self.category.rows(category)]

    def has_kernel(self) -> bool:
        """Whether `rows` serve: a kernel can look up, and nobody wants to see what the tables return."""
        tables = (self.item, self.category)
        return ready(*(table.weight for table in tables)) and not any(table.watched for table in tables)

    def _by_kernel(self, group: Group) -> tuple[Tensor, Tensor]:
        history, candidates = gather(self.rows(group), group.history_item.numel())
        history = history.view(*group.history_item.shape, self.width)
        return history, candidates.view(*group.candidate_item.shape, self.width)
