"""Row-wise Adam against torch's Adam over the whole table."""

import copy

import pytest
import torch

from model_code.groups import PADDING
from model_code.kernels.library import SWITCH, ready
from model_code.layers.embedding_table import EmbeddingTable
from model_code.training.row_adam import RowAdam, distinct

ROWS, WIDTH, RATE = 300, 4, 1e-2


@pytest.fixture
def kernels():
    if not ready():
        pytest.skip("no C compiler")


@pytest.fixture(params=["kernels", "PyTorch"])
def either(request, monkeypatch):
    """Runs a test with the kernels and without."""
    if request.param == "kernels":
        request.getfixturevalue("kernels")
    else:
        monkeypatch.setenv(SWITCH, "off")


def make_pair(dtype=torch.float32):
    torch.manual_seed(0)
    table = EmbeddingTable(ROWS, WIDTH, 0.1).to(dtype)
    dense = copy.deepcopy(table)
    return table, dense, RowAdam(table, RATE), torch.optim.Adam(dense.parameters(), lr=RATE)


def ids_of(step):
    """Rows that come often and rarely, some for the first time late, and padding."""
    generator = torch.Generator().manual_seed(step)
    share = 1 / torch.arange(1, ROWS + 1).double() ** 1.2
    ids = torch.multinomial(share, 24, replacement=True, generator=generator).view(4, 6)
    ids[0, :2] = PADDING
    return ids


def loss(vectors, step, scale):
    generator = torch.Generator().manual_seed(step)
    noise = torch.randn(vectors.shape, generator=generator, dtype=vectors.dtype)
    return scale * (vectors * noise + 0.1 * vectors.square()).sum()


def run(steps, scale=1e-2, dtype=torch.float32):
    table, dense, rows, adam = make_pair(dtype)
    for step in range(1, steps + 1):
        rows.begin(step)
        for weights in (table, dense):
            loss(weights(ids_of(step)), step, scale).backward()
        rows.step()
        adam.step()
        adam.zero_grad()
    return table, dense, rows


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("steps", [1, 2, 11, 400, 2000])
def test_the_table_is_that_of_dense_adam(steps):
    table, dense, rows = run(steps)
    rows.close()
    moved = (dense.weight - make_pair()[0].weight).abs().max().item()
    torch.testing.assert_close(table.weight, dense.weight, rtol=0, atol=1e-5 * max(moved, 0.1))


@pytest.mark.usefixtures("either")
def test_what_is_read_is_up_to_date():
    """Also rows whose momentum moved them since they were last looked up."""
    table, dense, rows = run(50)
    rows.begin(51)
    ids = torch.arange(ROWS)
    assert (table.weight - dense.weight).abs().max() > 1e-3
    torch.testing.assert_close(table(ids), dense(ids), rtol=0, atol=1e-6)


def test_epsilon_matters_little_where_gradients_are_as_small_as_it():
    table, dense, rows = run(300, scale=1e-6, dtype=torch.float64)
    rows.close()
    moved = (dense.weight - make_pair(torch.float64)[0].weight).abs().max()
    assert moved > 0.1
    assert (table.weight - dense.weight).abs().max() < 5e-3 * moved


def test_lazy_adam_is_another_optimizer():
    """What is made up for here is no small thing."""
    table, dense, rows, adam = make_pair()
    rows.close()
    lazy = torch.optim.SparseAdam(table.parameters(), lr=RATE)
    table.sparse = True
    for step in range(1, 401):
        for weights in (table, dense):
            loss(weights(ids_of(step)), step, 1e-2).backward()
        for optimizer in (lazy, adam):
            optimizer.step()
            optimizer.zero_grad()
    assert (table.weight - dense.weight).abs().max() > 0.1


@pytest.mark.usefixtures("either")
def test_only_rows_that_were_looked_up_are_touched():
    table, _, rows, _ = make_pair()
    before = table.weight.clone()
    rows.begin(1)
    loss(table(torch.tensor([[5, 7, 7]])), 1, 1.0).backward()
    rows.step()
    changed = (table.weight != before).any(1).nonzero().flatten().tolist()
    assert changed == [5, 7]
    assert rows.last.nonzero().flatten().tolist() == [5, 7]


@pytest.mark.usefixtures("either")
def test_padding_stays_zero():
    table, _, rows = run(20)
    rows.close()
    assert (table.weight[PADDING] == 0).all()
    assert (rows.moments[PADDING] == 0).all()


@pytest.mark.usefixtures("either")
def test_several_look_ups_in_a_step_are_summed():
    table, dense, rows, adam = make_pair()
    for step in range(1, 4):
        rows.begin(step)
        for weights in (table, dense):
            vectors = weights(ids_of(step)), weights(ids_of(step + 100)), weights(ids_of(step + 200))
            (
                loss(vectors[0], step, 1.0) + loss(vectors[1], step + 1, 1.0)
            ).backward()  # the third is not used
        rows.step()
        adam.step()
        adam.zero_grad()
    rows.close()
    torch.testing.assert_close(table.weight, dense.weight, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("either")
def test_gradients_of_other_processes_are_added():
    """Rows that this process has not read, or has read too, in a step that it may not read in at all."""
    others = torch.tensor([PADDING, 5, 7, 7])
    gradients = torch.arange(4.0 * WIDTH).view(4, WIDTH)
    table, dense, rows, adam = make_pair()
    rows.exchange = lambda ids, gradient: (torch.cat([ids, others]), torch.cat([gradient, gradients]))
    for step in range(1, 4):
        rows.begin(step)
        (dense(others) * gradients).sum().backward()
        if step != 2:
            for weights in (table, dense):
                loss(weights(ids_of(step)), step, 1.0).backward()
        rows.step()
        adam.step()
        adam.zero_grad()
    rows.close()
    torch.testing.assert_close(table.weight, dense.weight, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("either")
def test_an_id_outside_of_the_table_is_an_error():
    table, _, rows, _ = make_pair()
    rows.begin(1)
    for wrong in (-1, ROWS):
        with pytest.raises(IndexError):
            table(torch.tensor([[1, wrong]]))
    assert table(torch.empty(2, 0, dtype=torch.int64)).shape == (2, 0, WIDTH)


@pytest.mark.usefixtures("either")
def test_ids_may_be_strided():
    table, dense, rows, _ = make_pair()
    rows.begin(1)
    ids = ids_of(1)
    for some in (ids.t(), ids[:, 1:3], ids[0, 0]):
        assert torch.equal(table(some), dense(some))


def course(first, steps, width):
    """Look-ups of every kind over some steps: what was read, and the state at the end."""
    torch.manual_seed(1)
    table = EmbeddingTable(ROWS, width, 0.1)
    rows = RowAdam(table, RATE)
    read = []
    for step in range(first, first + steps):
        rows.begin(step)
        parts = [table(ids_of(step + 1000 * part).t()) for part in range(step % 4)]
        read += [part.detach().clone() for part in parts]
        used = parts[: 1 + step % 3]
        if used:
            sum(loss(vectors, step, 1.0) for vectors in used).backward()
        rows.step()
        if step % 50 == 0:
            rows.flush()
    return rows.fast, [*read, table.weight, rows.moments, rows.last]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(
    ("first", "steps", "width"), [(1, 300, 16), (1, 300, 5), (16300, 200, 8), (10**6, 60, 3)]
)
def test_kernels_and_pytorch_agree(monkeypatch, first, steps, width):
    fast, of_kernels = course(first, steps, width)
    monkeypatch.setenv(SWITCH, "off")
    slow, of_pytorch = course(first, steps, width)
    assert fast and not slow
    for one, other in zip(of_kernels, of_pytorch, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("either")
def test_evaluation_reads_the_weights():
    table, _, rows = run(5)
    rows.flush()
    table.eval()
    ids = ids_of(1)
    assert torch.equal(table(ids), table.weight[ids])


@pytest.mark.usefixtures("either")
def test_close_hands_the_table_back():
    table, _, rows = run(5)
    assert not table.weight.requires_grad
    rows.close()
    table(ids_of(1)).sum().backward()
    assert table.weight.grad is not None


@pytest.mark.parametrize(
    "ids", [torch.tensor([[4, 0, 4], [9, 2, 0]]), torch.tensor([3]), torch.tensor([0, 0])]
)
def test_distinct(ids):
    rows, place = distinct(ids)
    assert torch.equal(rows[place], ids)
    assert rows.tolist() == sorted(set(ids.flatten().tolist()))


def test_on_a_device_nothing_depends_on_values():
    """A tensor without values fails wherever its values are asked for."""
    table = EmbeddingTable(ROWS, WIDTH, 0.1).to("meta")
    rows = RowAdam(table, RATE)
    rows.begin(1)
    table(torch.zeros(3, 5, dtype=torch.int64, device="meta")).sum().backward()
    rows.step()
    rows.flush()
