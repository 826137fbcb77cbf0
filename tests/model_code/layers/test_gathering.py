import pytest
import torch

from model_code.kernels import library
from model_code.layers.gathering import Rows, gather

SHAPES = [(50, 16), (7, 3), (9, 5)]  # of the tables


def tables(number, count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    found = []
    for size, width in SHAPES[:number]:
        values = torch.randn(size, width, generator=generator).to(dtype).requires_grad_()
        places = torch.randint(size, (count,), generator=generator)
        found.append(Rows(values, places, 0 if width == 3 else None))
    return found


def results(rows, first):
    """What is gathered, and the gradients of the tables."""
    gathered = gather(rows, first)
    weights = [torch.arange(part.numel()).view_as(part) % 13 for part in gathered]
    sum((part * weight).sum() for part, weight in zip(gathered, weights, strict=True)).backward()
    gradients = [table.values.grad.clone() for table in rows]
    for table in rows:
        table.values.grad = None
    return [*(part.detach() for part in gathered), *gradients]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # by the kernel, and without
@pytest.mark.parametrize(
    ("number", "first", "count"), [(1, 4, 4), (2, 30, 40), (3, 0, 3), (2, 0, 0), (2, 20, 5000)]
)
def test_against_indexing(keep_threads, number, first, count, dtype):
    torch.set_num_threads(2)
    rows = tables(number, count, dtype)
    (*parts,) = results(rows, first)
    whole = torch.cat([table.values[table.places] for table in rows], -1).detach()
    assert torch.equal(torch.cat(parts[:2]), whole)
    assert len(parts[0]) == first
    weights = torch.cat([torch.arange(part.numel()).view_as(part) % 13 for part in parts[:2]])
    for table, of_table, weight in zip(
        rows, parts[2:], weights.split([table.values.shape[1] for table in rows], -1), strict=True
    ):
        expected = torch.zeros_like(of_table).index_add(0, table.places, weight.to(dtype))
        if table.padding is not None:
            expected[table.padding] = 0
        assert torch.equal(of_table, expected)  # sums of whole numbers


@pytest.mark.parametrize("wrong", [-1, 7])
def test_a_place_outside_of_a_table_is_an_error(monkeypatch, wrong):
    for switch in ("on", "off"):
        monkeypatch.setenv(library.SWITCH, switch)
        rows = tables(2, 6)
        rows[1].places[4] = wrong
        with pytest.raises(IndexError):
            gather(rows, 3)


def test_tables_of_different_numbers_of_places_are_refused():
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to guard")
    rows = tables(2, 6)
    with pytest.raises(ValueError, match="shapes do not fit"):
        gather([rows[0], Rows(rows[1].values, rows[1].places[:5])], 3)
